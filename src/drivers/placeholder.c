// Keeps the floor's library from being empty until its first file lands.
typedef int lp_drivers_floor_is_empty;
