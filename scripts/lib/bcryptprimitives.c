/* The one function of this library that Rust's programs call, for a Wine that
   does not have the library yet, as Debian 12's: random bytes, as many as are
   wanted. Every Windows has it. scripts/test-windows builds it. */
#include <windows.h>

/* What Windows calls RtlGenRandom. */
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
  return SystemFunction036(bytes, (ULONG)count);
}
