/* For hypapps that run no isolated code: the hooks that have to do with it (nacre.h).  To be
 * included in one file. */
#ifndef APPS_NO_PALS_H
#define APPS_NO_PALS_H

#include "nacre.h"

bool app_violation(struct vcpu *vcpu, const struct vmx_exit *exit)
{
    (void)vcpu;
    (void)exit;
    return false;
}

void app_isolated_exit(struct vcpu *isolated, const struct vcpu_stop *stop)
{
    (void)isolated;
    (void)stop;
}

void app_closing(unsigned cpu)
{
    (void)cpu;
}

#endif
