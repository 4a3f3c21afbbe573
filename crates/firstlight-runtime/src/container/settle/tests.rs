use super::*;
use crate::images::ImageConfig;

fn config() -> ImageConfig {
    let env = [("PATH", "/bin"), ("A", "image"), ("B", "image")];
    ImageConfig {
        entrypoint: vec!["/entry".to_owned()],
        cmd: vec!["cmd".to_owned()],
        env: env.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
        working_dir: "/work".to_owned(),
        ..ImageConfig::default()
    }
}

fn with(config: ImageConfig) -> Image {
    Image {
        id: "sha256:1".to_owned(),
        reference: "x".to_owned(),
        layers: vec![PathBuf::from("/layer")],
        masks: Vec::new(),
        config,
        pulled: None,
    }
}

fn image() -> Image {
    with(config())
}

fn settled(launch: Launch, image: &Image) -> Result<Order, Refused> {
    let pod = PodId { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
    let place = Place {
        pod: &pod,
        hostname: "p",
        log_dir: PathBuf::from("/logs"),
        guarded_devices: true,
        allow_privileged: false,
        filters: &Filters::default(),
    };
    settle(Instance { container: "c".to_owned(), attempt: 0 }, "id".to_owned(), launch, image, &place)
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn args(command: &[&str], args: &[&str], image: &Image) -> Vec<String> {
    settled(Launch { command: words(command), args: words(args), ..Launch::default() }, image).unwrap().args
}

fn non_root(security: Security, user: &str) -> Result<Order, Refused> {
    let security = Security { non_root: true, ..security };
    settled(Launch { security, ..Launch::default() }, &with(ImageConfig { user: user.to_owned(), ..config() }))
}

#[test]
fn env_13_command_and_args_over_entrypoint_and_cmd() {
    assert_eq!(args(&[], &[], &image()), ["/entry", "cmd"]);
    assert_eq!(args(&[], &["x"], &image()), ["/entry", "x"]);
    assert_eq!(args(&["/c"], &[], &image()), ["/c"]);
    assert_eq!(args(&["/c"], &["x"], &image()), ["/c", "x"]);
}

#[test]
fn a_container_without_any_command_is_refused() {
    let refused = settled(Launch::default(), &with(ImageConfig::default())).unwrap_err();
    assert_eq!(refused.failure, StartFailure::Create);
    assert!(refused.message.starts_with("no command specified"));
}

#[test]
fn env_14_the_containers_variables_win_over_the_images_in_place() {
    let env = vec![("B".to_owned(), "own".to_owned()), ("C".to_owned(), "own".to_owned())];
    let order = settled(Launch { env, tty: true, ..Launch::default() }, &image()).unwrap();
    let expected = [("PATH", "/bin"), ("HOSTNAME", "p"), ("TERM", "xterm"), ("A", "image"), ("B", "own"), ("C", "own")];
    assert_eq!(order.env, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn working_directories_are_absolute() {
    let cwd = |own: Option<&str>, image: &Image| {
        settled(Launch { working_dir: own.map(str::to_owned), ..Launch::default() }, image).unwrap().cwd
    };
    assert_eq!(cwd(None, &image()), "/work");
    assert_eq!(cwd(Some("/own"), &image()), "/own");
    assert_eq!(cwd(None, &with(ImageConfig { working_dir: "rel".to_owned(), ..config() })), "/rel");
    assert_eq!(cwd(None, &with(ImageConfig { working_dir: String::new(), ..config() })), "/");
}

#[test]
fn sec_2_run_as_non_root_in_the_kubelets_words() {
    let whose = "(pod: \"p_ns(u)\", container: c)";
    let message = |security: Security, user: &str| non_root(security, user).unwrap_err().message;
    let root = format!("container has runAsNonRoot and image will run as root {whose}");
    assert_eq!(message(Security::default(), ""), root);
    assert_eq!(message(Security::default(), "0:5"), root);
    assert_eq!(
        message(Security::default(), "web"),
        format!(
            "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root {whose}"
        )
    );
    assert_eq!(
        message(Security { user: Some(0), ..Security::default() }, "7"),
        format!("container's runAsUser breaks non-root policy {whose}")
    );
    assert_eq!(non_root(Security::default(), "").unwrap_err().failure, StartFailure::Config);
    assert!(non_root(Security::default(), "7").is_ok());
    assert!(non_root(Security { user: Some(7), ..Security::default() }, "web").is_ok());
}

#[test]
fn s14_privileged_needs_the_engines_leave() {
    let security = Security { privileged: true, ..Security::default() };
    let refused = settled(Launch { security, ..Launch::default() }, &image()).unwrap_err();
    assert!(refused.message.contains("--allow-privileged"));
}

#[test]
fn trm_5_stop_signals_by_name_and_number() {
    for (text, number) in
        [("", 15), ("SIGQUIT", 3), ("quit", 3), ("9", 9), ("SIGRTMIN+3", 37), ("RTMAX", 64), ("RTMAX-1", 63)]
    {
        assert_eq!(stop_signal(text), Ok(number), "{text}");
    }
    for text in ["SIGNONE", "0", "65", "RTMIN3", "RTMIN+31"] {
        assert!(stop_signal(text).is_err(), "{text}");
    }
}

#[test]
fn trm_5_a_containers_own_stop_signal_goes_before_its_images() {
    let image = with(ImageConfig { stop_signal: Some("SIGQUIT".to_owned()), ..config() });
    let order =
        |own: Option<&str>| settled(Launch { stop_signal: own.map(str::to_owned), ..Launch::default() }, &image);
    assert_eq!(order(None).unwrap().stop_signal, libc::SIGQUIT);
    assert_eq!(order(Some("SIGUSR1")).unwrap().stop_signal, libc::SIGUSR1);
    let refused = order(Some("SIGNONE")).unwrap_err();
    assert_eq!(
        (refused.failure, refused.message.as_str()),
        (StartFailure::Config, "lifecycle.stopSignal: \"SIGNONE\" is no signal")
    );
}
