/* The groups of probes, in the order in which they run. */
GROUP(cpuid), GROUP(memory), GROUP(vmx), GROUP(cr), GROUP(mode), GROUP(msr), GROUP(mtrr),
    GROUP(xapic), GROUP(event), GROUP(nmi), GROUP(pal), GROUP(pal_context), GROUP(pal_access),
    GROUP(pal_table), GROUP(pal_register), GROUP(pal_race), GROUP(pal_event), GROUP(pal_share),
    GROUP(pal_edge), GROUP(pal_view), GROUP(pal_number), GROUP(pal_limit), GROUP(startup),
    GROUP(x2apic), GROUP(ending),
