// The recipe in a picture, as settings of a form.
import {plainName} from './dom.js';

const DROPPED = ['weights_dtype', 'original_size', 'target_size'];  // resolved for the machine and size it was drawn with

// chunks: [{key, text}] of a PNG. null: it has none of ours.
export function recipeOfChunks(chunks) {
  const chunk = chunks.find((one) => one.key === 'negativa');
  try {
    const recipe = JSON.parse(chunk?.text ?? 'null');
    return typeof recipe?.settings === 'object' ? recipe : null;
  } catch {
    return null;
  }
}

// Seeds are read as text: numbers end at 2^53 here.
const seedOf = (text) => /"settings":\{.*"seed":(\d+)/.exec(text)?.[1] ?? /"seed":(\d+)/.exec(text)?.[1];

export function settingsOfChunks(chunks) {
  const recipe = recipeOfChunks(chunks);
  if (!recipe) return null;
  const settings = {...recipe.settings, seed: seedOf(chunks.find((one) => one.key === 'negativa').text)};
  const model = recipe.inputs?.find((input) => input.role === 'model');
  if (model) settings.model = plainName(model.name);
  if (settings.refiner_cfg_scale === settings.cfg_scale) delete settings.refiner_cfg_scale;
  for (const name of DROPPED) delete settings[name];
  if (settings.crop_top_left === '0,0') delete settings.crop_top_left;
  if (settings.aesthetic_score === 6) delete settings.aesthetic_score;
  return settings;
}

// Files of the recipe that a form does not take by their name.
export const filesOfChunks = (chunks) => (recipeOfChunks(chunks)?.inputs ?? []).filter(({role}) => ['refiner', 'unet', 'vae'].includes(role))
  .map(({role, name}) => `${{refiner: 'Refiner', unet: 'UNet', vae: 'VAE'}[role]}: ${name}; choose it here where it is wanted`);
