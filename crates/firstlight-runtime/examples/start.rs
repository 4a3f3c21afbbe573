//! How long from "create the sandbox" until the main container runs? `start [ROUNDS] [INITS]...`; medians and worst, in milliseconds.
//!
//! Drives the runtime alone, as the node would: containers are created ahead, all at once, and each is started as
//! soon as the one before it has ended. Needs root, busybox-static, and a free /24.

use firstlight_pod::action::{Launch, Signal};
use firstlight_pod::event::Instance;
use firstlight_pod::spec::{Identity, PullPolicy};
use firstlight_pod::{Do, Event, PodId};
use firstlight_runtime::{Allow, Config, Ends, Network, Registries, Runtime, network};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    if let Some(code) = firstlight_runtime::reexec() {
        return code;
    }
    let mut args = std::env::args().skip(1);
    let rounds = args.next().map_or(9, |n| n.parse().expect("ROUNDS is a number"));
    let mut inits: Vec<usize> = args.map(|n| n.parse().expect("INITS is a number")).collect();
    if inits.is_empty() {
        inits = vec![0, 1, 3, 10];
    }
    let runtime = tokio::runtime::Runtime::new().expect("a tokio runtime");
    runtime.block_on(run(rounds, &inits));
    ExitCode::SUCCESS
}

async fn run(rounds: usize, inits: &[usize]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = config(dir.path());
    let (_runtime, mut ends, _) = Runtime::start(config.clone()).await.expect("the runtime starts");
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); inits.len()];
    for round in 0..=rounds {
        for (&count, times) in inits.iter().zip(&mut times) {
            let took = one(&mut ends, &format!("{round}-{count}"), count, std::env::var_os("TRACE").is_some()).await;
            // The first round warms caches.
            if round > 0 {
                times.push(took);
            }
        }
    }
    for (count, times) in inits.iter().zip(&mut times) {
        times.sort();
        let ms = |t: Duration| t.as_secs_f64() * 1e3;
        let median = ms(times[times.len() / 2]);
        println!(
            "{count:2} inits: median {median:6.2} ms, best {:6.2}, worst {:6.2}",
            ms(times[0]),
            ms(*times.last().expect("a round"))
        );
    }
    network::Bridge::down(&config.network).expect("the bridge goes down");
}

fn config(dir: &Path) -> Config {
    let subnet = network::choose_subnet(u64::from(std::process::id())).expect("a free subnet");
    Config {
        data: dir.join("data"),
        run: dir.join("run"),
        images: dir.join("images"),
        registries: Registries::default(),
        network: Network { bridge: format!("fls{}", std::process::id()), subnet, domain: "cluster.local".to_owned() },
        allow: Allow { host_image: true, ..Allow::default() },
        shim: None,
        toolbox: None,
    }
}

async fn one(ends: &mut Ends, name: &str, inits: usize, trace: bool) -> Duration {
    let pod = PodId { namespace: "bench".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") };
    let identity = Identity { hostname: name.to_owned(), ..Identity::default() };
    let began = Instant::now();
    ask(ends, &pod, Do::CreateSandbox { attempt: 0, identity, sysctls: Default::default(), share_processes: false })
        .await;
    let all: Vec<Instance> = (0..=inits).map(|n| instance(if n == inits { 99 } else { n })).collect();
    for instance in &all {
        let pull = Do::Pull {
            instance: instance.clone(),
            image: "firstlight.local/host".to_owned(),
            policy: PullPolicy::IfNotPresent,
            credentials: Vec::new(),
        };
        ask(ends, &pod, pull).await;
    }
    let (mut up, mut here, mut created, mut next) = (false, Vec::new(), Vec::new(), 0);
    let took = loop {
        let (_, event) = ends.events.recv().await.expect("the runtime lives");
        if trace {
            eprintln!("{:8.2} {event:?}", began.elapsed().as_secs_f64() * 1e3);
        }
        match event {
            Event::SandboxReady { .. } => up = true,
            Event::ImageReady { instance, .. } => here.push(instance),
            Event::Created { instance, .. } => created.push(instance),
            Event::Exited { instance, exit } => {
                assert_eq!(exit.code, 0, "{instance:?}: {exit:?}");
                next += 1;
            }
            Event::Started { instance, .. } if Some(&instance) == all.last() => break began.elapsed(),
            Event::Starting { .. } | Event::Started { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
        if up {
            for instance in here.drain(..) {
                let launch = Box::new(launch(Some(&instance) == all.last()));
                ask(ends, &pod, Do::Create { instance, sandbox: 0, launch, ahead: true }).await;
            }
        }
        if all.get(next).is_some_and(|wanted| created.contains(wanted)) {
            created.retain(|i| *i != all[next]);
            ask(ends, &pod, Do::Start { instance: all[next].clone() }).await;
        }
    };
    ask(ends, &pod, Do::Signal { instance: instance(99), signal: Signal::Kill }).await;
    ask(ends, &pod, Do::RemoveSandbox { attempt: 0 }).await;
    while !matches!(ends.events.recv().await, Some((_, Event::SandboxGone { .. })) | None) {}
    ask(ends, &pod, Do::Forget).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    took
}

async fn ask(ends: &Ends, pod: &PodId, what: Do) {
    ends.actions.send((pod.clone(), what)).await.expect("the runtime lives");
}

fn instance(n: usize) -> Instance {
    Instance { container: format!("c{n}"), attempt: 0 }
}

fn launch(main: bool) -> Launch {
    let command = if main { vec!["sleep", "1000"] } else { vec!["true"] };
    Launch {
        image: "firstlight.local/host".to_owned(),
        command: ["/bin/busybox"].into_iter().chain(command).map(str::to_owned).collect(),
        termination_message_path: "/dev/termination-log".to_owned(),
        ..Launch::default()
    }
}
