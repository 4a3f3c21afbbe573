//! What is the next step of one container whose turn it is? Asked by the walk over inits and by the mains.
//!
//! ```text
//!  Pull → ImageReady → Create → Created → Start → Started → postStart
//!                                  ▲
//!        created ahead, same launch ┘   (with another launch: Discard, then anew)
//! ```

use super::launch::{self, Unresolved};
use super::restart;
use super::stop;
use super::turn::{Role, Turn};
use crate::action::{Do, Launch};
use crate::backoff;
use crate::event::{Hook, ImageFailure, StartFailure};
use crate::seen::{Coming, HookRun, ImageTrouble, Live, Seen, Stage, Tried};
use crate::spec::{Container, SourceRef, Spec};
use crate::time::{Millis, Now};

/// The wait after a container could not be created: what the kubelet waits after any error (SYN-10).
const RETRY: Millis = Millis::secs(10);
/// How long a failed pull is shown as such before it is shown as waiting for the next.
const SHOW_ERROR: Millis = Millis::secs(1);

/// Where a container stands after its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is on its way: containers after it wait (SYN-8).
    UnderWay,
    /// It waits for a time or for something outside, which does not hold up its neighbours (SYN-9).
    Held,
    /// It runs, post-start hook and all.
    Runs,
    /// It ended, for good in this sandbox.
    Over,
}

/// Takes the next step of a container whose turn it is.
pub(crate) fn advance<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role) -> Step {
    let history = turn.history(container);
    if let Some(live) = history.live() {
        return runs(turn, container, role, live);
    }
    let begun = history.coming().filter(|coming| coming.turn.is_some());
    if begun.is_none() {
        // A regular init counts in its own sandbox only; a main that is done for good is so in every later one (SBX-5).
        let over = match role {
            Role::Once | Role::Sidecar => history.past_in(turn.seen.walk()),
            Role::Main | Role::Ephemeral => history.past(),
        };
        if over.is_some_and(|past| !restart::again(turn.spec, container, role, past)) {
            return Step::Over;
        }
        if let Some(past) = history.past()
            && let Some((delay, due)) = restart::held_back(turn, container, past)
        {
            let what = back_off_message(turn, container, delay);
            // Also when it is over: it goes on showing what it waited for until it runs.
            turn.show(container, "CrashLoopBackOff", what.clone());
            if turn.now < due {
                turn.wait_until(Some(container), "CrashLoopBackOff", what, past.terminated.finished_at, due);
                return Step::Held;
            }
        }
    }
    match history.coming() {
        None => pull(turn, container, role),
        Some(coming) => comes(turn, container, role, coming),
    }
}

/// BKF-7.
fn back_off_message(turn: &Turn<'_>, container: &Container, delay: Millis) -> String {
    let id = &turn.spec.id;
    let pod = format!("{}_{}({})", id.name, id.namespace, id.uid);
    format!("back-off {} restarting failed container={} pod={pod}", delay.go(), container.name)
}

/// Whether the post-start hook of a running container is over, or there is none.
pub(crate) fn post_start_done(container: &Container, live: &Live) -> bool {
    container.post_start.is_none() || live.post_start == HookRun::Done
}

fn runs<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role, live: &Live) -> Step {
    if let Some(reason) = restart::stop_reason(container, role, live) {
        stop::single(turn, container, role, live, reason);
        return Step::Held;
    }
    match (&container.post_start, &live.post_start) {
        (Some(handler), HookRun::Idle) => {
            let instance = crate::event::Instance { container: container.name.clone(), attempt: live.attempt };
            let what = Do::Hook { instance, hook: Hook::PostStart, handler: handler.clone(), timeout: None };
            turn.act(what, format!("\"{}\" has started", container.name));
            Step::UnderWay
        }
        (Some(_), HookRun::Asked(since)) => {
            let what = format!("the postStart hook of \"{}\"", container.name);
            turn.wait(Some(container), "PostStart", what, *since);
            Step::UnderWay
        }
        (Some(_), HookRun::Done | HookRun::Failed(_)) | (None, _) => {
            if role == Role::Once {
                let what = format!("init \"{}\" to end", container.name);
                turn.wait(Some(container), "InitRunning", what, live.since);
            }
            Step::Runs
        }
    }
}

fn comes<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role, coming: &Coming) -> Step {
    let name = &container.name;
    if let Some(tried) = &coming.tried {
        turn.show(container, reason_of(tried.failure), tried.message.clone());
    } else if let Some(delay) = restart::held_back_before(turn, container) {
        // It goes on showing what it waited for until it runs.
        turn.show(container, "CrashLoopBackOff", back_off_message(turn, container, delay));
    }
    match &coming.stage {
        Stage::Idle => match &coming.tried {
            Some(Tried { at, message, failure }) if turn.now < at.plus(RETRY) => {
                let what = format!("the next try to create \"{name}\": {message}");
                turn.wait_until(Some(container), reason_of(*failure), what, *at, at.plus(RETRY));
                Step::Held
            }
            Some(_) | None => pull(turn, container, role),
        },
        Stage::Pulling { since, .. } => {
            if let Some(trouble) = turn.seen.images.get(&container.image) {
                show_image_trouble(turn, container, trouble);
            }
            turn.wait(Some(container), "ImagePulling", format!("image \"{}\"", container.image), *since);
            Step::UnderWay
        }
        Stage::Pulled { image } if *image == container.image => create(turn, container, role),
        // Another image is wanted by now.
        Stage::Pulled { .. } => pull(turn, container, role),
        Stage::Creating { since, .. } => {
            turn.wait(Some(container), "ContainerCreating", format!("\"{name}\" to be created"), *since);
            Step::UnderWay
        }
        Stage::Created { .. } => start(turn, container, role, coming.launch.as_deref()),
        Stage::Discarding { since } => {
            turn.wait(Some(container), "ContainerDiscarding", format!("\"{name}\" to be made anew"), *since);
            Step::UnderWay
        }
        Stage::Starting { since } => {
            turn.wait(Some(container), "ContainerStarting", format!("\"{name}\" to start"), *since);
            Step::UnderWay
        }
    }
}

fn reason_of(failure: StartFailure) -> &'static str {
    match failure {
        StartFailure::Config => "CreateContainerConfigError",
        StartFailure::Create => "CreateContainerError",
        StartFailure::Run => "RunContainerError",
    }
}

/// Why it is this container's turn, for people.
fn its_turn(turn: &Turn<'_>, container: &Container, role: Role) -> String {
    if let Some(past) = turn.history(container).past_in(turn.seen.walk()) {
        return format!("\"{}\" ended with code {}", container.name, past.terminated.code);
    }
    let inits = &turn.spec.inits;
    let before = match role {
        Role::Ephemeral => return "it was added to look into the pod".to_owned(),
        Role::Main => inits.last(),
        Role::Once | Role::Sidecar => {
            let index = inits.iter().position(|init| init.container().name == container.name);
            index.and_then(|index| index.checked_sub(1)).and_then(|index| inits.get(index))
        }
    };
    match before {
        None => "the sandbox is up".to_owned(),
        Some(crate::spec::Init::Once(before)) => format!("init \"{}\" is done", before.name),
        Some(crate::spec::Init::Sidecar(before)) => format!("sidecar \"{}\" has started", before.name),
    }
}

fn pull<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role) -> Step {
    let image = &container.image;
    if let Some(trouble) = turn.seen.images.get(image) {
        show_image_trouble(turn, container, trouble);
        let until = match trouble.failure {
            // Nothing but another reference mends it.
            ImageFailure::InvalidName => {
                let what = format!("another image than \"{image}\": {}", trouble.message);
                turn.wait(Some(container), "InvalidImageName", what, trouble.at);
                return Step::Held;
            }
            ImageFailure::Pull => trouble.at.plus(backoff::of_image(trouble.tries)),
            ImageFailure::NeverPull | ImageFailure::Inspect => trouble.at.plus(RETRY),
        };
        if turn.now < until {
            let reason = match trouble.failure {
                ImageFailure::Pull => "ImagePullBackOff",
                ImageFailure::NeverPull => "ErrImageNeverPull",
                ImageFailure::Inspect | ImageFailure::InvalidName => "ImageInspectError",
            };
            let what = format!("the next try to have image \"{image}\": {}", trouble.message);
            turn.wait_until(Some(container), reason, what, trouble.at, until);
            return Step::Held;
        }
    }
    let credentials = credentials(turn.spec, turn.seen);
    let why = its_turn(turn, container, role);
    let instance = turn.next_instance(container);
    turn.act(Do::Pull { instance, image: image.clone(), policy: container.pull, credentials }, why);
    Step::UnderWay
}

/// What the pod's pull secrets hold, in order; those that do not exist are left out.
pub(super) fn credentials(spec: &Spec, seen: &Seen) -> Vec<Vec<u8>> {
    let secrets = spec.pull_secrets.iter().map(|name| SourceRef::Secret(name.clone()));
    let found = secrets.filter_map(|secret| seen.sources.get(&secret)?.as_ref()?.get(".dockerconfigjson"));
    found.cloned().collect()
}

/// IMG-2, IMG-5, IMG-6, IMG-8.
fn show_image_trouble<'a>(turn: &mut Turn<'a>, container: &'a Container, trouble: &ImageTrouble) {
    let ImageTrouble { failure, message, at, .. } = trouble;
    show_failure(turn, container, &container.image, *failure, message, *at);
}

/// Has the container's status say that an image it needs cannot be had: its own, or a volume's.
pub(super) fn show_failure<'a>(
    turn: &mut Turn<'a>,
    container: &'a Container,
    image: &str,
    failure: ImageFailure,
    message: &str,
    at: Now,
) {
    let shown_until = at.plus(SHOW_ERROR);
    let message = message.to_owned();
    let (reason, message) = match failure {
        ImageFailure::Pull if turn.now < shown_until => {
            turn.look_at(shown_until);
            ("ErrImagePull", message)
        }
        ImageFailure::Pull => {
            ("ImagePullBackOff", format!("Back-off pulling image \"{image}\": ErrImagePull: {message}"))
        }
        ImageFailure::NeverPull => ("ErrImageNeverPull", message),
        ImageFailure::InvalidName => ("InvalidImageName", message),
        ImageFailure::Inspect => ("ImageInspectError", message),
    };
    turn.show(container, reason, message);
}

fn create<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role) -> Step {
    let since = turn.history(container).coming().and_then(|coming| coming.turn).unwrap_or(turn.now);
    match launch::launch(turn.spec, turn.seen, container) {
        Ok(launch) => {
            let why = its_turn(turn, container, role);
            let instance = turn.next_instance(container);
            let sandbox = turn.seen.sandbox.attempt().unwrap_or(0);
            turn.act(Do::Create { instance, sandbox, launch: Box::new(launch), ahead: false }, why);
            Step::UnderWay
        }
        Err(Unresolved::Untold(source)) => {
            turn.wait(Some(container), "Sources", format!("to be told about {}", launch::named(&source)), since);
            Step::Held
        }
        Err(Unresolved::Wrong(message)) => {
            turn.show(container, "CreateContainerConfigError", message.clone());
            turn.wait(Some(container), "CreateContainerConfigError", message, since);
            Step::Held
        }
    }
}

fn start<'a>(turn: &mut Turn<'a>, container: &'a Container, role: Role, made_with: Option<&Launch>) -> Step {
    let wanted = launch::launch(turn.spec, turn.seen, container).ok();
    let instance = turn.next_instance(container);
    if wanted.is_some() && wanted.as_ref() == made_with {
        let why = its_turn(turn, container, role);
        turn.act(Do::Start { instance }, why);
    } else {
        let why = match made_with {
            Some(_) => "what it would run with has changed since it was created",
            None => "it is not known what it was created with",
        };
        turn.act(Do::Discard { instance }, why);
    }
    Step::UnderWay
}
