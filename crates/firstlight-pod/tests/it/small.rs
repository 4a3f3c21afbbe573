//! Every short history of a small pod, fair or not: events come in any order, twice, or not at all. The decision is total,
//! finished in one turn, and never breaks what must hold.

use crate::pods;
use firstlight_pod::action::Do;
use firstlight_pod::event::{Exit, Hook, ImageFailure, Instance, ProbeKind, StartFailure};
use firstlight_pod::spec::{Container, Handler, Init, RestartPolicy, Spec};
use firstlight_pod::{Event, Millis, Now, Seen, Status, decide};

const NOW: Now = Now(50_000);

fn spec(restart: RestartPolicy) -> Spec {
    let hook = || Some(Handler::Exec(vec!["hook".to_owned()]));
    let main = Container { pre_stop: hook(), liveness: Some(pods::probe(Millis::secs(1), 1)), ..pods::container("m") };
    pods::pod(restart, vec![Init::Once(pods::container("a")), Init::Sidecar(pods::container("s"))], vec![main])
}

fn of(container: &str, attempt: u32) -> Instance {
    Instance { container: container.to_owned(), attempt }
}

fn created(container: &str) -> Event {
    Event::Created {
        instance: of(container, 0),
        id: "id".to_owned(),
        image_id: "sha256:1".to_owned(),
        user: None,
        at: Now(30_000),
    }
}

fn started(container: &str, attempt: u32) -> Event {
    Event::Started { instance: of(container, attempt), at: Now(31_000) }
}

fn exited(container: &str, attempt: u32, code: i32) -> Event {
    let exit = Exit { code, started_at: Now(31_000), finished_at: Now(32_000), ..Exit::default() };
    Event::Exited { instance: of(container, attempt), exit }
}

fn sandbox(attempt: u32) -> Event {
    let (pod_ip, host_ip) = ("10.0.0.2".to_owned(), "10.0.0.1".to_owned());
    Event::SandboxReady { attempt, pod_ip, host_ip, at: Now(20_000) }
}

fn alphabet() -> Vec<Event> {
    vec![
        sandbox(0),
        sandbox(1),
        Event::SandboxGone { attempt: 0, at: Now(33_000) },
        Event::SandboxFailed { attempt: 0, message: "no".to_owned(), at: Now(33_000) },
        created("m"),
        started("a", 0),
        exited("a", 0, 0),
        exited("a", 0, 1),
        started("s", 0),
        exited("s", 0, 1),
        started("m", 0),
        exited("m", 0, 0),
        exited("m", 0, 1),
        Event::StartFailed {
            instance: of("m", 0),
            failure: StartFailure::Create,
            message: "no".to_owned(),
            at: Now(49_000),
        },
        Event::ImageFailed {
            instance: of("a", 0),
            image: "a:1".to_owned(),
            failure: ImageFailure::Pull,
            message: "no".to_owned(),
            at: Now(49_000),
        },
        Event::HookDone { instance: of("m", 0), hook: Hook::PreStop, outcome: Ok(()), at: Now(33_000) },
        Event::Probed {
            instance: of("m", 0),
            probe: ProbeKind::Liveness,
            outcome: Err("no".to_owned()),
            at: Now(33_000),
        },
        Event::Deletion { at: Now(40_000), grace: Millis::secs(5) },
    ]
}

/// What a stranger would say of the history, told only by the book.
#[derive(Clone, Default)]
struct Book {
    sandbox: Option<u32>,
    init_done: bool,
    deleted: bool,
}

impl Book {
    fn reads(&mut self, event: &Event) {
        match event {
            Event::SandboxReady { attempt, .. } if self.sandbox != Some(*attempt) => {
                *self = Book { sandbox: Some(*attempt), init_done: false, ..self.clone() };
            }
            Event::Exited { instance, exit } if instance.container == "a" => self.init_done = exit.code == 0,
            Event::Deletion { .. } => self.deleted = true,
            _ => {}
        }
    }
}

fn check(spec: &Spec, seen: &Seen, book: &Book, history: &[&Event]) {
    let plan = decide(spec, seen, NOW);
    assert!(plan.wake.is_none_or(|wake| wake > NOW), "{history:?}");
    let mut after = seen.clone();
    for action in &plan.actions {
        match &action.what {
            Do::Pull { instance, .. } | Do::Create { instance, ahead: false, .. } | Do::Start { instance } => {
                assert!(!book.deleted, "{action:?} after deletion: {history:?}");
                let early = instance.container != "a" && !book.init_done;
                let main_had_its_turn = history.iter().any(
                    |event| matches!(event, Event::Started { instance, .. } | Event::Exited { instance, .. } if instance.container != "a"),
                );
                assert!(!early || main_had_its_turn, "{action:?} before the init is done: {history:?}");
            }
            Do::Create { .. } | Do::CreateSandbox { .. } => assert!(!book.deleted, "{action:?}: {history:?}"),
            Do::PrepareVolumes { .. }
            | Do::Discard { .. }
            | Do::Hook { .. }
            | Do::Probe { .. }
            | Do::Retire { .. }
            | Do::RestartAll { .. }
            | Do::Signal { .. }
            | Do::RemoveSandbox { .. }
            | Do::Forget => {}
        }
        after.fold(&Event::Asked { what: action.what.clone(), at: NOW });
    }
    let then = decide(spec, &after, NOW);
    assert!(then.actions.is_empty(), "one turn is not enough: {:?} then {:?}: {history:?}", plan.actions, then.actions);
    let over = plan.status.phase.is_terminal() && !book.deleted;
    let forgets = plan.actions.iter().any(|action| action.what == Do::Forget);
    assert!(!then.waits.is_empty() || over || forgets, "silently stuck: {history:?} {:?}", plan.status);
}

fn every(spec: &Spec, seen: &Seen, book: &Book, history: &mut Vec<&Event>, alphabet: &'static [Event], left: usize) {
    check(spec, seen, book, history);
    if left == 0 {
        return;
    }
    for event in alphabet {
        let (mut seen, mut book) = (seen.clone(), book.clone());
        seen.fold(event);
        book.reads(event);
        history.push(event);
        every(spec, &seen, &book, history, alphabet, left - 1);
        history.pop();
    }
}

#[test]
fn every_short_history_is_decided_by_the_book() {
    let alphabet: &'static [Event] = Vec::leak(alphabet());
    let prefixes: Vec<Vec<Event>> = vec![
        vec![],
        vec![sandbox(0), started("a", 0)],
        vec![sandbox(0), started("a", 0), exited("a", 0, 0), started("s", 0), started("m", 0)],
    ];
    for policy in [RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never] {
        let spec = spec(policy);
        for prefix in &prefixes {
            let (mut seen, mut book) = (Seen::default(), Book::default());
            seen.fold(&Event::Said { status: Box::new(Status::default()), at: Now(0) });
            for event in prefix {
                seen.fold(event);
                book.reads(event);
            }
            let mut history: Vec<&Event> = prefix.iter().collect();
            every(&spec, &seen, &book, &mut history, alphabet, 3);
        }
    }
}
