/* x87, SSE and AVX: the caller's are intact, the PAL's are its own (REQ-PAL-4, REQ-PAL-8). */
#include "client_new.h"
#include "commands.h"

#define AREA_BYTES 832U
#define LEGACY_BYTES 512U
#define AVX_AT 576U

static uint8_t before[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t after[AREA_BYTES] __attribute__((aligned(64)));
static bool has_avx;

static void detect(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    has_avx = (ecx >> 27 & 1) != 0 && (ecx >> 28 & 1) != 0; /* OSXSAVE, AVX */
}

static void load(void)
{
    if (has_avx) {
        __asm__ volatile("xrstor %0" ::"m"(before), "a"(7), "d"(0));
    } else {
        __asm__ volatile("fxrstor %0" ::"m"(before));
    }
}

static void store(void)
{
    if (has_avx) {
        __asm__ volatile("xsave %0" : "+m"(after) : "a"(7), "d"(0));
    } else {
        __asm__ volatile("fxsave %0" : "=m"(after));
    }
}

/* Registers of each kind with bytes that tell them apart. */
static void fill(void)
{
    store();
    memcpy(before, after, AREA_BYTES);
    before[0] = 0x7f; /* FCW: precision of doubles */
    before[1] = 0x02;
    before[2] = before[3] = 0; /* FSW */
    before[4] = 0xff;          /* all eight in use */
    before[25] = 0x3f;         /* MXCSR: another rounding */
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned byte = 0; byte < 10; byte++) {
            before[32 + i * 16 + byte] = (uint8_t)(0x81 + i * 10 + byte);
        }
    }
    const unsigned registers = WIDTH == 64 ? 16 : 8;
    for (unsigned i = 0; i < registers * 16; i++) {
        before[160 + i] = (uint8_t)(i * 3 + 1);
        before[AVX_AT + i] = (uint8_t)(i * 5 + 2);
    }
    if (has_avx) {
        before[LEGACY_BYTES] |= 7;
    }
}

/* FCW, FSW, FTW; MXCSR; the x87 registers' ten bytes each; XMM; the upper halves of YMM. */
static void compare(const char *what)
{
    const unsigned registers = WIDTH == 64 ? 16 : 8;

    for (unsigned i = 0; i < AVX_AT + registers * 16; i++) {
        const bool is_control = i < 5 || (i >= 24 && i < 28);
        const bool is_x87 = i >= 32 && i < 160 && i % 16 < 10;
        const bool is_xmm = i >= 160 && i < 160 + registers * 16;
        const bool is_ymm = has_avx && i >= AVX_AT;
        if ((is_control || is_x87 || is_xmm || is_ymm) && before[i] != after[i]) {
            check_round(i);
            check_equal(after[i], before[i], what);
        }
    }
    check(true, what, 0);
}

static void check_old_interface(void)
{
    struct pal_frame frame;
    struct pal pal;

    pal_make(&pal, pal_add_one, 1);
    pal_add_integers(&pal, 1);
    pal_must_reg(&pal);
    for (uintptr_t i = 0; i < 10; i++) {
        fill();
        load();
        pal_call(&pal, &frame, 1, &i);
        store();
        compare("old-interface");
        check_equal(frame.result, i + 1, "old-interface-result");
    }
    pal_end(&pal);
}

static void check_vector_pal(void)
{
    struct new_pal pal;

    new_make(&pal, pal_vector, 1, TV_PAL_VECTOR);
    new_must_register(&pal);
    for (unsigned i = 0; i < 10; i++) {
        struct tv_pal_call call = {.id = pal.request.id};
        fill();
        load();
        enum tv_error error = hypercall(TV_PAL_CALL, (uintptr_t)&call, 0, 0, 0);
        store();
        check_error(error, TV_OK, "vector-call");
        check_equal(call.result, 0, "pal-sees-vector-registers");
        compare("vector-pal");
    }
    new_end(&pal);
}

static void check_without_flag(void)
{
    struct new_pal pal;

    new_make(&pal, pal_vector, 1, 0);
    new_must_register(&pal);
    fill();
    load();
    struct tv_pal_call call = new_call(&pal, 0, NULL);
    store();
    compare("without-flag");
    check_error((enum tv_error)call.error, TV_ERROR_PAL_FAULT, "without-flag");
    check(call.vector == 6 || call.vector == 7, "without-flag-vector", call.vector);
    check_equal(new_call(&pal, 0, NULL).error, TV_ERROR_PAL_ENDED, "without-flag-again");
    new_end(&pal);
}

void command_vector(int count, char *const arguments[])
{
    (void)count;
    (void)arguments;
    detect();
    check_old_interface();
    check_vector_pal();
    check_without_flag();
}
