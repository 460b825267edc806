/* The root secret of simulated PALs: everybody knows it, so their quotes prove nothing. */
#ifndef NACRE_SIMULATION_H
#define NACRE_SIMULATION_H

#define PAL_SIMULATION_SECRET "simulated root, known to anyone!"
_Static_assert(sizeof(PAL_SIMULATION_SECRET) == 32 + 1, "as long as a root secret");

#endif
