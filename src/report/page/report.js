// The page's own script: the grid of pictures, the dialog of one picture, the theme. Everything that people wrote goes in as text.
(() => {
  "use strict";
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  const node = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in made && typeof value !== "string") made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const written = (text) => node("bdi", {}, text);

  const themes = ["auto", "light", "dark"];
  const theme = by("theme");
  let chosen = 0;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    chosen = (chosen + 1) % themes.length;
    if (chosen === 0) root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", themes[chosen]);
    theme.textContent = `Theme: ${themes[chosen]}`;
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));

  const data = JSON.parse(by("run-data").textContent);
  if (!by("grid")) return;
  const ROWS = 8;
  const [ARM, PROMPT, REPLICATE, TRAINING, STATE, SOURCE, FILE, WIDTH, HEIGHT, VALUES] = Array(10).keys();
  const key = (arm, prompt, replicate, training) => `${arm},${prompt},${replicate},${training}`;
  const pictures = new Map(data.pictures.map((one) => [key(one[ARM], one[PROMPT], one[REPLICATE], one[TRAINING]), one]));
  const state = { list: data.lists[0], group: "", replicate: 0, training: 0, order: "plan", zoom: 4, metric: data.shown, rows: ROWS };
  const hidden = new Set(data.arms.flatMap((arm, i) => (arm.sweep ? [i] : [])));
  const pinned = new Set([data.baseline]);

  const find = (arm, prompt) => pictures.get(key(arm, prompt, state.replicate, data.arms[arm].trainings > 0 ? Math.min(state.training, data.arms[arm].trainings - 1) : -1))
    ?? pictures.get(key(arm, prompt, 0, data.arms[arm].trainings > 0 ? 0 : -1));
  const value = (picture, metric) => (picture && picture[VALUES] ? picture[VALUES][metric] : null);
  const shown = (number) => (number === null || number === undefined ? "–" : Math.abs(number) >= 100 ? number.toFixed(0) : number.toFixed(3));
  const armsOfList = () => data.arms.map((arm, i) => i).filter((i) => data.arms[i].list === state.list);
  const visibleArms = () => {
    const arms = armsOfList().filter((i) => !hidden.has(i));
    return [...arms.filter((i) => pinned.has(i)), ...arms.filter((i) => !pinned.has(i))];
  };
  const change = (prompt) => {
    const one = value(find(data.changed[0], prompt), state.metric), other = value(find(data.changed[1], prompt), state.metric);
    return one === null || other === null ? -1 : Math.abs(one - other);
  };
  const visiblePrompts = () => {
    const has = new Set(data.pictures.map((one) => one[PROMPT]));
    const prompts = data.prompts.map((one, i) => i).filter((i) => has.has(i) && data.prompts[i].list === state.list && (!state.group || data.prompts[i].group === state.group));
    return state.order === "change" ? prompts.sort((a, b) => change(b) - change(a)) : prompts;
  };

  const isSmall = (picture) => Math.max(picture[WIDTH], picture[HEIGHT]) <= data.small;
  const image = (picture, zoom, source) => {
    const small = isSmall(picture);
    const scale = small ? zoom : (data.thumbnail / Math.max(picture[WIDTH], picture[HEIGHT])) * (zoom / 4);
    const width = Math.round(picture[WIDTH] * scale), height = Math.round(picture[HEIGHT] * scale);
    return node("img", { src: source, alt: `${data.prompts[picture[PROMPT]].text}, ${data.arms[picture[ARM]].name}`, width, height, loading: "lazy", decoding: "async", class: small ? "pixelated" : "" });
  };
  const cell = (arm, prompt) => {
    const picture = find(arm, prompt);
    if (!picture || picture[STATE] !== 1 || !picture[SOURCE]) {
      const box = node("div", { class: "lost" }, picture && picture[STATE] === 2 ? "damaged" : "not there");
      box.style.width = box.style.height = `${data.cell * state.zoom}px`;
      return node("td", {}, box, node("small", {}, shown(value(picture, state.metric))));
    }
    const button = node("button", { class: "cell", type: "button" }, image(picture, state.zoom, picture[SOURCE]));
    button.addEventListener("click", () => open(arm, prompt));
    return node("td", {}, button, node("small", {}, shown(value(picture, state.metric))));
  };

  const tool = (text, label, pressed, act) => {
    const button = node("button", { type: "button", "aria-label": label }, text);
    if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
    button.addEventListener("click", act);
    return button;
  };
  const head = (arm) => node("th", { scope: "col", "data-arm": String(arm) }, written(data.arms[arm].name), node("div", { class: "tools" },
    tool("pin", `Pin ${data.arms[arm].name}`, pinned.has(arm), () => { pinned.has(arm) ? pinned.delete(arm) : pinned.add(arm); draw(); focusTool(arm, "Pin"); }),
    tool("hide", `Hide ${data.arms[arm].name}`, null, () => { hidden.add(arm); draw(); by("arms-shown").querySelector(`[value="${arm}"]`)?.focus(); })));
  const focusTool = (arm, verb) => by("grid").querySelector(`th[data-arm="${arm}"] button[aria-label^="${verb}"]`)?.focus();

  const rowHead = (prompt) => {
    const one = data.prompts[prompt];
    const name = node("th", { scope: "row", class: "pinned" }, written(one.text), node("small", {}, written(one.group)));
    if (one.mark) name.append(node("small", {}, one.mark));
    name.style.left = "0px";
    return name;
  };
  // Pinned columns stay at the left, one beside the other.
  const place = (table) => {
    const first = table.tHead.rows[0].cells;
    let left = first[0].offsetWidth;
    if (innerWidth < 640) return;
    visibleArms().forEach((arm, i) => {
      if (!pinned.has(arm)) return;
      for (const row of table.rows) {
        row.cells[i + 1].classList.add("pinned");
        row.cells[i + 1].style.left = `${left}px`;
      }
      left += first[i + 1].offsetWidth;
    });
  };
  const draw = () => {
    const arms = visibleArms(), prompts = visiblePrompts();
    const corner = node("th", { scope: "col", class: "pinned" }, "Prompt");
    corner.style.left = "0px";
    const table = node("table", { class: "grid-table" }, node("thead", {}, node("tr", {}, corner, ...arms.map(head))), node("tbody"));
    by("grid-count").textContent = `${Math.min(state.rows, prompts.length)} of ${prompts.length} prompts, ${arms.length} of ${armsOfList().length} arms; under each picture its ${data.metrics[state.metric]?.words ?? "measurement"}`;
    for (const prompt of prompts.slice(0, state.rows)) table.tBodies[0].append(node("tr", {}, rowHead(prompt), ...arms.map((arm) => cell(arm, prompt))));
    by("grid").replaceChildren(table);
    place(table);
    by("more").hidden = state.rows >= prompts.length;
    drawChoices();
  };
  const drawChoices = () => {
    by("arms-shown").replaceChildren(...armsOfList().map((arm) => {
      const box = node("input", { type: "checkbox", value: String(arm), checked: !hidden.has(arm) });
      box.addEventListener("change", () => { box.checked ? hidden.delete(arm) : hidden.add(arm); draw(); by("arms-shown").querySelector(`[value="${arm}"]`)?.focus(); });
      return node("label", {}, box, written(data.arms[arm].name));
    }));
  };
  const choose = (id, options, current, act) => {
    const select = by(id);
    select.replaceChildren(...options.map(([text, option]) => node("option", { value: String(option) }, text)));
    select.value = String(current);
    select.closest("label").hidden = options.length < 2;
    select.onchange = () => { act(select.value); state.rows = ROWS; draw(); };
  };
  const controls = () => {
    choose("grid-list", data.lists.map((list) => [list, list]), state.list, (list) => { state.list = list; state.group = ""; controls(); });
    const groups = [...new Set(data.prompts.filter((one) => one.list === state.list).map((one) => one.group))];
    choose("grid-group", [["all", ""], ...groups.map((group) => [group, group])], state.group, (group) => { state.group = group; });
    choose("grid-replicate", [...Array(data.replicates).keys()].map((i) => [String(i + 1), i]), state.replicate, (i) => { state.replicate = Number(i); });
    choose("grid-training", [...Array(data.trainings).keys()].map((i) => [String(i + 1), i]), state.training, (i) => { state.training = Number(i); });
    choose("grid-order", [["as planned", "plan"], ["most changed first", "change"]], state.order, (order) => { state.order = order; });
    choose("grid-metric", data.metrics.map((one, i) => [one.words, i]), state.metric, (i) => { state.metric = Number(i); });
    choose("grid-zoom", [["×1", 1], ["×2", 2], ["×3", 3], ["×4", 4]], state.zoom, (zoom) => { state.zoom = Number(zoom); });
  };

  const dialog = by("picture");
  const open = (arm, prompt) => {
    show(arm, prompt, arm === data.changed[1] ? data.changed[0] : data.changed[1]);
    if (!dialog.open) dialog.showModal();
  };
  const settle = (pair, share) => {
    pair.querySelector("img + img")?.style.setProperty("clip-path", `inset(0 0 0 ${share}%)`);
    const handle = pair.querySelector(".handle");
    if (handle) handle.style.left = `${share}%`;
  };
  const show = (arm, prompt, other) => {
    const picture = find(arm, prompt), partner = other === arm ? null : find(other, prompt);
    by("picture-title").replaceChildren(written(data.prompts[prompt].text));
    const pair = by("pair"), slider = by("slider");
    const large = (one) => {
      const made = image(one, isSmall(one) ? Math.max(4, Math.floor(480 / Math.max(one[WIDTH], one[HEIGHT]))) : 4 * (512 / data.thumbnail), isSmall(one) ? one[SOURCE] : one[FILE] || one[SOURCE]);
      made.loading = "eager";
      return made;
    };
    const hasPartner = partner && partner[STATE] === 1 && partner[SOURCE];
    pair.replaceChildren(...(hasPartner ? [large(partner), large(picture), node("div", { class: "handle" })] : [large(picture)]));
    slider.hidden = by("sides").hidden = !hasPartner;
    slider.value = 50;
    slider.setAttribute("aria-label", `How much of ${data.arms[other].name} is shown, the rest ${data.arms[arm].name}`);
    settle(pair, 50);
    slider.oninput = () => settle(pair, slider.value);
    pair.onpointermove = (event) => {
      if (!hasPartner || (event.pointerType === "mouse" && event.buttons === 0)) return;
      const box = pair.getBoundingClientRect();
      slider.value = Math.max(0, Math.min(100, ((event.clientX - box.left) / box.width) * 100));
      settle(pair, slider.value);
    };
    pair.ondragstart = () => false;
    by("sides").replaceChildren(node("span", {}, "← ", written(data.arms[other].name)), node("span", {}, written(data.arms[arm].name), " →"));
    const select = by("partner");
    select.replaceChildren(...armsOfList().map((i) => node("option", { value: String(i) }, data.arms[i].name)));
    select.value = String(other);
    select.onchange = () => show(arm, prompt, Number(select.value));
    const arms = visibleArms().filter((i) => find(i, prompt)?.[SOURCE]), prompts = visiblePrompts().filter((i) => find(arm, i)?.[SOURCE]);
    const step = (id, list, current, act) => {
      const at = list.indexOf(current), next = list[at + (id.startsWith("next") ? 1 : -1)];
      by(id).disabled = at < 0 || next === undefined;
      by(id).onclick = () => { act(next); };
    };
    for (const id of ["previous-arm", "next-arm"]) step(id, arms, arm, (next) => show(next, prompt, other));
    for (const id of ["previous-prompt", "next-prompt"]) step(id, prompts, prompt, (next) => show(arm, next, other));
    describe(picture, partner, arm, other);
  };
  const row = (name, left, right) => {
    const made = node("tr", {}, node("th", { scope: "row" }, written(name)), node("td", {}, written(left)), node("td", {}, written(right)));
    if (left !== right) made.className = "changed";
    return made;
  };
  const textOf = (setting) => (setting === undefined || setting === null ? "–" : typeof setting === "object" ? JSON.stringify(setting) : String(setting));
  const describe = (picture, partner, arm, other) => {
    const left = data.arms[other].settings, right = data.arms[arm].settings, prompt = data.prompts[picture[PROMPT]];
    const facts = node("tbody");
    facts.append(row("noise seed", prompt.seeds[picture[REPLICATE]], prompt.seeds[picture[REPLICATE]]));
    if (data.trainings > 1) facts.append(row("training", partner && partner[TRAINING] >= 0 ? String(partner[TRAINING] + 1) : "–", picture[TRAINING] >= 0 ? String(picture[TRAINING] + 1) : "–"));
    for (const name of [...new Set([...Object.keys(left), ...Object.keys(right)])].sort()) facts.append(row(name, textOf(left[name]), textOf(right[name])));
    data.metrics.forEach((metric, i) => facts.append(row(metric.words, shown(value(partner, i)), shown(value(picture, i)))));
    const table = node("table", {}, node("thead", {}, node("tr", {}, node("th", { scope: "col" }, "Setting"), node("th", { scope: "col" }, written(data.arms[other].name)), node("th", { scope: "col" }, written(data.arms[arm].name)))), facts);
    by("facts").replaceChildren(table);
    const link = by("file");
    link.hidden = !picture[FILE];
    if (picture[FILE]) link.setAttribute("href", picture[FILE]);
  };
  by("close").addEventListener("click", () => dialog.close());

  by("more").addEventListener("click", () => {
    const first = state.rows;
    state.rows += ROWS;
    draw();
    by("grid").querySelectorAll("tbody tr")[first]?.querySelector("button")?.focus();
  });
  by("grid-tools").hidden = false;
  controls();
  draw();
})();
