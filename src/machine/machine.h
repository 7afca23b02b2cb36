/* machine.h: what this machine is. cw_machine itself is in convwise/backend.h. */
#ifndef CW_MACHINE_H
#define CW_MACHINE_H
#include "../../include/convwise/tools.h"
#endif
