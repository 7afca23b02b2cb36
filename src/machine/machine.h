/* machine.h: what this machine is. cw_machine itself is in convwise/backend.h. */
#ifndef CW_MACHINE_H
#define CW_MACHINE_H
#include "../../include/convwise/tools.h"

/* Adds a device: another machine, with a name and a fingerprint of its own. */
void cw_machine_add_device(cw_machine *m, const char *device);
#endif
