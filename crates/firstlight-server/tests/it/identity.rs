//! The identity of a data directory: what is on disk, who may read it, when it is renewed.

use firstlight_server::identity::{CA_FILE, Credentials, Identity, IdentityError, kubeconfig, write_kubeconfig};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("metadata").mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

fn later(days: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(24 * days)
}

#[test]
fn the_authority_is_kept_in_a_private_file_of_a_private_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("identity");
    let first = Identity::open(&home, &[], Timestamp::now()).expect("an identity");
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join(CA_FILE)), 0o600);
    let names: Vec<_> =
        fs::read_dir(&home).expect("a listing").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, [CA_FILE]);
    let second = Identity::open(&home, &[], later(30)).expect("the identity again");
    assert_eq!(first.authority(), second.authority());
    assert_ne!(first.admin().key, second.admin().key, "client certificates are made anew at each start");
}

#[test]
fn an_authority_near_its_end_is_renewed_with_the_same_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("identity");
    let first = Identity::open(&home, &[], Timestamp::now()).expect("an identity");
    let kept = Identity::open(&home, &[], later(3650 - 400)).expect("kept");
    assert_eq!(first.authority(), kept.authority());
    let before = fs::read_to_string(home.join(CA_FILE)).expect("the file");
    let renewed = Identity::open(&home, &[], later(3650 - 390)).expect("renewed");
    assert_ne!(first.authority(), renewed.authority());
    let after = fs::read_to_string(home.join(CA_FILE)).expect("the file");
    let key = |text: &str| text[text.find("-----BEGIN PRIVATE KEY").expect("a key")..].to_owned();
    assert_eq!(key(&before), key(&after), "certificates signed before stay valid");
}

#[test]
fn what_is_signed_lives_a_year() {
    let dir = tempfile::tempdir().expect("a directory");
    let now = Timestamp::now();
    let identity = Identity::open(&dir.path().join("identity"), &[], now).expect("an identity");
    let client = identity.client("system:node:here", "system:nodes").expect("credentials");
    for Credentials { certificate, key: _ } in [identity.admin(), &client] {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).expect("a certificate");
        let validity = parsed.validity();
        let (begin, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        let days = |seconds: i64| seconds / 86_400;
        assert!((0..=2).contains(&days(now.as_second() - begin)), "{begin}");
        assert!((363..=365).contains(&days(end - now.as_second())), "{end}");
    }
}

#[test]
fn what_is_a_month_old_is_signed_anew_also_near_the_end_of_the_authority() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("identity");
    let mut identity = Identity::open(&home, &[], Timestamp::now()).expect("an identity");
    let (key, authority) = (identity.admin().key.clone(), identity.authority().to_owned());
    assert!(!identity.renew(later(29)).expect("nothing to do"));
    assert_eq!(identity.admin().key, key);
    assert!(identity.renew(later(31)).expect("renewed"));
    assert_ne!(identity.admin().key, key);
    assert_eq!(identity.authority(), authority, "the authority has years to go");
    assert!(!identity.renew(later(32)).expect("nothing to do"));
    assert!(identity.renew(later(3650 - 390)).expect("renewed"));
    assert_ne!(identity.authority(), authority);
}

#[test]
fn what_others_can_read_is_no_secret_and_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("identity");
    Identity::open(&home, &[], Timestamp::now()).expect("an identity");
    chmod(&home.join(CA_FILE), 0o640);
    let error = Identity::open(&home, &[], Timestamp::now()).expect_err("refused").to_string();
    assert!(
        error.ends_with("ca.pem: others may read or write it; its key is no secret: remove it for a new one"),
        "{error}"
    );
    chmod(&home.join(CA_FILE), 0o600);
    chmod(&home, 0o755);
    let error = Identity::open(&home, &[], Timestamp::now()).expect_err("refused").to_string();
    assert!(error.ends_with("identity: others may enter it; chmod it to 0700"), "{error}");
}

#[test]
fn a_symbolic_link_in_place_of_the_authority_is_not_followed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (home, other) = (dir.path().join("identity"), dir.path().join("other"));
    Identity::open(&other, &[], Timestamp::now()).expect("an identity");
    fs::create_dir(&home).expect("a directory");
    chmod(&home, 0o700);
    symlink(other.join(CA_FILE), home.join(CA_FILE)).expect("a link");
    assert!(matches!(Identity::open(&home, &[], Timestamp::now()), Err(IdentityError::File { .. })));
}

#[test]
fn a_damaged_authority_is_said_not_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("identity");
    Identity::open(&home, &[], Timestamp::now()).expect("an identity");
    let text = fs::read_to_string(home.join(CA_FILE)).expect("the file");
    for cut in [0, 40, text.len() / 2, text.len() - 40] {
        fs::write(home.join(CA_FILE), &text[..cut]).expect("written");
        let error = Identity::open(&home, &[], Timestamp::now()).expect_err("damaged");
        assert!(matches!(error, IdentityError::Damaged { .. }), "{cut}: {error}");
        assert_eq!(fs::read_to_string(home.join(CA_FILE)).expect("the file"), text[..cut]);
    }
}

#[test]
fn a_kubeconfig_is_private_whatever_was_there_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let identity = Identity::open(&dir.path().join("identity"), &[], Timestamp::now()).expect("an identity");
    let text = kubeconfig(&identity, "https://127.0.0.1:6443");
    let path = dir.path().join("kubeconfig");
    let target = dir.path().join("target");
    fs::write(&target, "mine").expect("written");
    chmod(&target, 0o644);
    symlink(&target, &path).expect("a link");
    write_kubeconfig(&path, &text).expect("written");
    assert_eq!(mode(&path), 0o600);
    assert!(fs::symlink_metadata(&path).expect("metadata").is_file(), "the link is replaced");
    assert_eq!(fs::read_to_string(&target).expect("the target"), "mine");
    assert_eq!(fs::read_to_string(&path).expect("the file"), text);
}

#[test]
fn a_kubeconfig_names_the_context_firstlight_and_has_everything_inline() {
    let dir = tempfile::tempdir().expect("a directory");
    let identity = Identity::open(&dir.path().join("identity"), &[], Timestamp::now()).expect("an identity");
    let text = kubeconfig(&identity, "https://127.0.0.1:6443");
    let shape: String = text
        .lines()
        .map(|line| match line.split_once("-data: ") {
            Some((key, _)) => format!("{key}-data: ...\n"),
            None => format!("{line}\n"),
        })
        .collect();
    insta::assert_snapshot!(shape, @r#"
    apiVersion: v1
    kind: Config
    current-context: firstlight
    clusters:
    - name: firstlight
      cluster:
        server: "https://127.0.0.1:6443"
        certificate-authority-data: ...
    users:
    - name: firstlight
      user:
        client-certificate-data: ...
        client-key-data: ...
    contexts:
    - name: firstlight
      context:
        cluster: firstlight
        user: firstlight
        namespace: default
    "#);
}
