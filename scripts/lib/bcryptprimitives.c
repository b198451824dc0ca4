/* A stand-in for bcryptprimitives.dll, which Debian 12's Wine lacks and every
   Windows has: its one function that Rust's programs call fills a buffer with random
   bytes. scripts/test-windows builds it. */
#include <windows.h>

/* RtlGenRandom, by the name that the library exports. */
BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG count);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
  return SystemFunction036(bytes, (ULONG)count);
}
