//! What must be found when it is broken on purpose? A simulation that finds nothing proves nothing until it has found
//! these.

/// Something broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A killed engine takes acknowledged writes along.
    StoreForgets,
    /// A sandbox's journal loses the ends of init containers when the engine is killed.
    JournalForgetsEnds,
    /// A container that is created ahead of its turn starts at once.
    StartsWhatIsAhead,
    /// A sandbox is said to be gone while a container of it runs on.
    LeavesARunner,
    /// What is left of a pod is not removed.
    LeavesADirectory,
    /// That a container has started is told to nobody and written nowhere.
    SwallowsAStart,
    /// A container's end is told with another exit code.
    InventsACode,
    /// Containers do not end when they are killed.
    CannotKill,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 8] = [
        Flaw::StoreForgets,
        Flaw::JournalForgetsEnds,
        Flaw::StartsWhatIsAhead,
        Flaw::LeavesARunner,
        Flaw::LeavesADirectory,
        Flaw::SwallowsAStart,
        Flaw::InventsACode,
        Flaw::CannotKill,
    ];
}
