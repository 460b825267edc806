/* The groups of probes, in the order in which they run. */
GROUP(cpuid), GROUP(memory), GROUP(vmx), GROUP(cr), GROUP(mode), GROUP(msr), GROUP(mtrr),
    GROUP(xapic), GROUP(event), GROUP(nmi), GROUP(startup), GROUP(x2apic), GROUP(ending),
