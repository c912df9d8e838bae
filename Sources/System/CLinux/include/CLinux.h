// SPDX-License-Identifier: Apache-2.0
// System calls that Swift has no call for. No decisions here: each function is one call,
// and returns what the call returned, or -errno.
#pragma once
#include "CLinuxMemory.h"
#include "CLinuxNetwork.h"
#include "CLinuxProcess.h"
#include "CLinuxTrace.h"
#include "CLinuxAttach.h"
#include "CLinuxAttack.h"
#include "CLinuxLocal.h"
#include "CLinuxProbe.h"
#include "CLinuxReach.h"
#include "CLinuxRing.h"
#include "CLinuxCount.h"
#include "CLinuxDetour.h"
