// The page's files as bytes of the program; apps/studio/CMakeLists.txt names them.
  .section .rodata, "a", %progbits

  .globl negativa_page_html_begin
  .globl negativa_page_html_end
negativa_page_html_begin:
  .incbin NEGATIVA_PAGE_HTML
negativa_page_html_end:

  .globl negativa_page_js_begin
  .globl negativa_page_js_end
negativa_page_js_begin:
  .incbin NEGATIVA_PAGE_JS
negativa_page_js_end:

  .globl negativa_page_css_begin
  .globl negativa_page_css_end
negativa_page_css_begin:
  .incbin NEGATIVA_PAGE_CSS
negativa_page_css_end:

  .section .note.GNU-stack, "", %progbits
