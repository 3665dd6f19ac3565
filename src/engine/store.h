// The store's interface; it stands in model, because the drivers implement it.
#pragma once

#include "model/store.h" // IWYU pragma: export
