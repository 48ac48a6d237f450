// Style sheet and script of the page as bytes of the program; src/report/CMakeLists.txt names the files.
  .section .rodata, "a", %progbits

  .globl negativa_report_css_begin
  .globl negativa_report_css_end
negativa_report_css_begin:
  .incbin NEGATIVA_REPORT_CSS
negativa_report_css_end:

  .globl negativa_report_js_begin
  .globl negativa_report_js_end
negativa_report_js_begin:
  .incbin NEGATIVA_REPORT_JS
negativa_report_js_end:

  .section .note.GNU-stack, "", %progbits
