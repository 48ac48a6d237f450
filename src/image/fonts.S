// The fonts of labels as bytes of the program; src/image/CMakeLists.txt names the files.
  .section .rodata, "a", %progbits

  .balign 16
  .globl negativa_dejavu_sans_begin
  .globl negativa_dejavu_sans_end
negativa_dejavu_sans_begin:
  .incbin NEGATIVA_DEJAVU_SANS
negativa_dejavu_sans_end:

  .balign 16
  .globl negativa_droid_fallback_begin
  .globl negativa_droid_fallback_end
negativa_droid_fallback_begin:
  .incbin NEGATIVA_DROID_FALLBACK
negativa_droid_fallback_end:

  .section .note.GNU-stack, "", %progbits
