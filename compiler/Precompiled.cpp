// Anchor of the precompiled header; see Precompiled.h.
