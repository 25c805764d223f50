"""One connection of the kit, as either end: packets, raw frames and raw bytes, with all that passes kept."""
