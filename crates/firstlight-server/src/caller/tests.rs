//! Whom a certificate names.

use super::{Caller, Nameless};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls_pki_types::CertificateDer;

fn certificate(subject: &[(DnType, &str)]) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().clone()
}

#[test]
fn the_common_name_is_the_user_and_the_organisation_a_group() {
    let subject = [(DnType::CommonName, "admin"), (DnType::OrganizationName, "system:masters")];
    let caller = Caller::from_certificate(&certificate(&subject)).expect("a caller");
    assert_eq!(caller, Caller::new("admin", ["system:masters"]));
    assert_eq!(caller.groups, ["system:masters", "system:authenticated"]);
}

#[test]
fn a_certificate_that_names_nobody_is_nobodys() {
    for subject in [&[][..], &[(DnType::OrganizationName, "system:masters")], &[(DnType::CommonName, "")]] {
        let answer = Caller::from_certificate(&certificate(subject));
        assert!(matches!(answer, Err(Nameless::NoCommonName)), "{subject:?}: {answer:?}");
    }
    let answer = Caller::from_certificate(&CertificateDer::from(vec![0x30, 3, 1, 1]));
    assert!(matches!(answer, Err(Nameless::Unreadable(_))), "{answer:?}");
}
