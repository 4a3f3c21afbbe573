//! One decision while it is being made: what it is made from, and what it has come to so far.

use crate::action::{Action, Do, Why};
use crate::event::{Hook, Instance};
use crate::plan::{Plan, Wait};
use crate::seen::{History, Seen};
use crate::spec::{Container, Init, Spec};
use crate::status::Status;
use crate::time::Now;
use std::collections::BTreeMap;

/// What a container is to the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A regular init.
    Once,
    /// A sidecar.
    Sidecar,
    /// A main container.
    Main,
    /// One that was added to look into the pod.
    Ephemeral,
}

/// A decision in the making.
pub(crate) struct Turn<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) seen: &'a Seen,
    pub(crate) now: Now,
    /// Whether there is no init step, or every one is passed in this sandbox.
    pub(crate) initialized: bool,
    actions: Vec<Action>,
    waits: Vec<Wait>,
    wake: Option<Now>,
    /// What a container waits for, as its status shows it: reason and message.
    shown: BTreeMap<&'a str, (&'static str, String)>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(spec: &'a Spec, seen: &'a Seen, now: Now) -> Turn<'a> {
        Turn {
            spec,
            seen,
            now,
            initialized: false,
            actions: Vec::new(),
            waits: Vec::new(),
            wake: None,
            shown: BTreeMap::new(),
        }
    }

    /// The containers that are the pod's life, with their roles, inits first, in spec order.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&'a Container, Role)> + use<'a> {
        let spec = self.spec;
        let inits = spec.inits.iter().map(|init| match init {
            Init::Once(container) => (container, Role::Once),
            Init::Sidecar(container) => (container, Role::Sidecar),
        });
        inits.chain(spec.mains.iter().map(|container| (container, Role::Main)))
    }

    /// The containers that only look into it.
    pub(crate) fn ephemerals(&self) -> impl Iterator<Item = (&'a Container, Role)> + use<'a> {
        self.spec.ephemerals.iter().map(|ephemeral| (&ephemeral.container, Role::Ephemeral))
    }

    /// Whether anything of the pod runs, or may.
    pub(crate) fn runs(&self) -> bool {
        self.containers().chain(self.ephemerals()).any(|(container, _)| self.history(container).may_run())
    }

    pub(crate) fn history(&self, container: &Container) -> &'a History {
        self.seen.history(&container.name)
    }

    /// The instance that is coming, or would be next.
    pub(crate) fn next_instance(&self, container: &Container) -> Instance {
        Instance { container: container.name.clone(), attempt: self.history(container).next_attempt() }
    }

    /// Does something.
    pub(crate) fn act(&mut self, what: Do, why: impl Into<Why>) {
        self.actions.push(Action { what, why: why.into() });
    }

    /// Whether this decision begins the container's own turn.
    pub(crate) fn takes_turn(&self, container: &Container) -> bool {
        self.actions.iter().any(|action| match &action.what {
            Do::Pull { instance, .. } => instance.container == container.name,
            Do::PrepareVolumes { .. }
            | Do::CreateSandbox { .. }
            | Do::Create { .. }
            | Do::Discard { .. }
            | Do::Start { .. }
            | Do::Hook { .. }
            | Do::Probe { .. }
            | Do::Retire { .. }
            | Do::RestartAll { .. }
            | Do::Signal { .. }
            | Do::RemoveSandbox { .. }
            | Do::Forget => false,
        })
    }

    /// How many containers this decision creates.
    pub(crate) fn creations(&self) -> usize {
        self.actions.iter().filter(|action| matches!(action.what, Do::Create { .. })).count()
    }

    /// Whether this decision takes the sandbox down.
    pub(crate) fn removes_sandbox(&self) -> bool {
        self.actions.iter().any(|action| matches!(action.what, Do::RemoveSandbox { .. }))
    }

    /// Waits for something that will be told.
    pub(crate) fn wait(
        &mut self,
        container: Option<&Container>,
        reason: &'static str,
        what: impl Into<String>,
        since: Now,
    ) {
        let container = container.map(|container| container.name.clone());
        self.waits.push(Wait { container, reason, what: what.into(), since, until: None });
    }

    /// Waits for a time, which must be still to come.
    pub(crate) fn wait_until(
        &mut self,
        container: Option<&Container>,
        reason: &'static str,
        what: impl Into<String>,
        since: Now,
        until: Now,
    ) {
        self.look_at(until);
        let container = container.map(|container| container.name.clone());
        self.waits.push(Wait { container, reason, what: what.into(), since, until: Some(until) });
    }

    /// Asks to be decided again at this time, if it is still to come.
    pub(crate) fn look_at(&mut self, at: Now) {
        if at > self.now {
            self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        }
    }

    /// Has the container's status say why it waits.
    pub(crate) fn show(&mut self, container: &'a Container, reason: &'static str, message: impl Into<String>) {
        self.shown.insert(&container.name, (reason, message.into()));
    }

    /// Why the container's status says it waits.
    pub(crate) fn shown(&self, container: &Container) -> Option<&(&'static str, String)> {
        self.shown.get(container.name.as_str())
    }

    /// The decision. What ends something comes before what begins something (SYN-7).
    pub(crate) fn plan(mut self, status: Status) -> Plan {
        self.actions.sort_by_key(|action| match &action.what {
            Do::RestartAll { .. } | Do::Retire { .. } | Do::Signal { .. } => false,
            Do::Hook { hook, .. } => *hook == Hook::PostStart,
            Do::PrepareVolumes { .. }
            | Do::CreateSandbox { .. }
            | Do::Pull { .. }
            | Do::Create { .. }
            | Do::Discard { .. }
            | Do::Start { .. }
            | Do::Probe { .. }
            | Do::RemoveSandbox { .. }
            | Do::Forget => true,
        });
        Plan { actions: self.actions, status, waits: self.waits, wake: self.wake }
    }
}
