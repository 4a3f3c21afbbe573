//! One worker per pod: turns changes and events into decisions, and decisions into actions and status.
