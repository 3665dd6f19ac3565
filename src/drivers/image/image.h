// The image driver: makes the trees that nodes' roots lie over, and keeps them by hash.
#pragma once

#include "model/driver.h"

// ENSURE_IMAGE -> IMAGE_READY | IMAGE_FAILED, with IMAGE_PROGRESS in between. Two builds run at a
// time; the others wait. An image whose mark lies in the cache is ready at once.
extern const struct lp_driver lp_driver_image;
