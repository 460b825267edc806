/* What the guest starts with: a Linux kernel from the modules, or the boot sector of a drive. */
#include "chain.h"
#include "linux.h"
#include "nacre.h"
#include "violation.h"

#include <base/check.h>
#include <base/log.h>
#include <hw/console.h>
#include <string.h>
#include <vmx/state.h>

#define CR0_PE 1ULL

static void make_memmap(void)
{
    const struct hw_boot_info *boot = nacre.boot;
    enum status status = memmap_init(&nacre.memmap, boot->memory, boot->memory_count);

    if (status == STATUS_OK) {
        status = memmap_limit(&nacre.memmap, nacre.options.memory_limit_bytes);
    }
    if (status == STATUS_OK) {
        status = memmap_set(&nacre.memmap, boot->region.v, boot->region.v + boot->region_bytes,
                            HW_MEMORY_RESERVED);
    }
    if (status != STATUS_OK) {
        nacre_refuse("the firmware's memory map has too many ranges; raise "
                     "CONFIG_MAX_MEMORY_RANGES");
    }
}

const struct hw_module *nacre_find_module(const char *word, const char **rest)
{
    const struct hw_boot_info *boot = nacre.boot;
    size_t length = strlen(word);

    for (unsigned i = 0; i < boot->module_count; i++) {
        const char *string = options_skip_path(boot->modules[i].string);
        if (strncmp(string, word, length) == 0 &&
            (string[length] == ' ' || string[length] == '\0')) {
            *rest = string + length + strspn(string + length, " ");
            return &boot->modules[i];
        }
    }
    return NULL;
}

/* Those for the hypapp start no guest. */
static bool has_guest_modules(void)
{
    const char *unused;
    unsigned others = (nacre_find_module(NACRE_MODULE_SECRET, &unused) != NULL) +
                      (nacre_find_module(NACRE_MODULE_NV, &unused) != NULL);

    return nacre.boot->module_count > others;
}

static void load_direct(void)
{
    const char *cmdline = "", *unused;
    const struct hw_boot_info *boot = nacre.boot;
    const struct hw_module *kernel = nacre_find_module("kernel", &cmdline);
    const struct hw_module *initrd = nacre_find_module("initrd", &unused);
    struct vcpu *vcpu = &nacre.cpu[0].vcpu;
    struct linux_entry entry;

    if (kernel == NULL) {
        nacre_refuse("no kernel module; add 'module2 --nounzip FILE kernel ARGUMENTS' to the boot "
                     "loader's configuration, or boot=chain");
    }
    struct linux_request request = {
        .kernel = kernel->start.v,
        .kernel_bytes = kernel->bytes,
        .initrd = initrd != NULL ? initrd->start.v : 0,
        .initrd_bytes = initrd != NULL ? initrd->bytes : 0,
        .cmdline = cmdline,
        .map = &nacre.memmap,
        .rsdp = boot->rsdp,
    };
    enum linux_error error = linux_load(&request, &entry);
    if (error != LINUX_OK) {
        nacre_refuse("%s", linux_error_text(error));
    }
    vmx_state_protected32(vcpu, entry.eip, entry.esi);
    vmx_vcpu_set_gdt(vcpu, entry.gdt_base, entry.gdt_limit);
    log_info("guest: Linux by the 32-bit boot protocol, entry 0x%x", entry.eip);
}

static void load_chain(void)
{
    struct chain_entry entry = {0};

    nacre.chain_drive = options_drive(&nacre.options, nacre.boot->bios_drive);
    enum status status = int15_install(&nacre.memmap, &nacre.int15);
    if (status == STATUS_OK) {
        status = chain_install(&nacre.memmap, nacre.chain_drive, &entry);
    }
    if (status != STATUS_OK) {
        nacre_refuse("boot=chain needs a BIOS and conventional memory (%s); use boot=direct",
                     status_text(status));
    }
    nacre.chain_vmcall = entry.vmcall;
    vmx_state_real(&nacre.cpu[0].vcpu, 0, entry.ip, entry.sp, nacre.chain_drive);
    log_info("guest: boot sector of BIOS drive 0x%x", nacre.chain_drive);
}

void nacre_load_guest(void)
{
    make_memmap();
    if (options_boot(&nacre.options, has_guest_modules()) == APP_BOOT_DIRECT) {
        load_direct();
    } else {
        load_chain();
    }
    hw_console_share();
}

static void answer_int15(struct vcpu *vcpu)
{
    struct int15_regs regs = {
        .eax = (uint32_t)vcpu_gpr(vcpu, VCPU_RAX),
        .ebx = (uint32_t)vcpu_gpr(vcpu, VCPU_RBX),
        .ecx = (uint32_t)vcpu_gpr(vcpu, VCPU_RCX),
        .edx = (uint32_t)vcpu_gpr(vcpu, VCPU_RDX),
        .edi = (uint32_t)vcpu_gpr(vcpu, VCPU_RDI),
        .esp = (uint32_t)vcpu_gpr(vcpu, VCPU_RSP),
        .es_base = vcpu_segment_base(vcpu, VCPU_ES),
        .ss_base = vcpu_segment_base(vcpu, VCPU_SS),
    };

    if (int15_handle(&nacre.memmap, &regs) != STATUS_OK) {
        log_debug("INT 15h with a stack outside memory");
    }
    vcpu_set_gpr(vcpu, VCPU_RAX, regs.eax);
    vcpu_set_gpr(vcpu, VCPU_RBX, regs.ebx);
    vcpu_set_gpr(vcpu, VCPU_RCX, regs.ecx);
    vcpu_set_gpr(vcpu, VCPU_RDX, regs.edx);
    vcpu_skip_instruction(vcpu);
}

bool guest_vmcall(struct vcpu *vcpu)
{
    struct vcpu_paging paging;

    if (nacre.int15.vmcall == 0) {
        return false;
    }
    vcpu_paging(vcpu, &paging);
    if (paging.cr0 & CR0_PE) {
        return false; /* real mode only: the linear address is the physical one */
    }
    uint64_t linear = vcpu_segment_base(vcpu, VCPU_CS) + vcpu_rip(vcpu);
    if (linear == nacre.int15.vmcall) {
        answer_int15(vcpu);
        return true;
    }
    if (linear == nacre.chain_vmcall) {
        chain_report(nacre.chain_drive, (uint16_t)vcpu_gpr(vcpu, VCPU_RAX));
        vcpu_skip_instruction(vcpu);
        return true;
    }
    return false;
}
