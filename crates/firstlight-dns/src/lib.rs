//! Answers DNS for Services and pods from the store.
