//! Every small input.
