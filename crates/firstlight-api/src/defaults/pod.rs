//! Pods and pod templates (DEF-1 to DEF-3, IMG-1, PRB-1, RES-5).

use crate::view::{Fill, View};
use serde_json::{Map, Value, json};

/// Mode of files in volumes (VOL-3).
const DEFAULT_MODE: i64 = 0o644;

/// A Pod.
pub(super) fn apply(pod: &mut Value) {
    let Some(spec) = pod.nested("spec") else { return };
    for list in ["initContainers", "containers"] {
        spec.items(list).iter_mut().for_each(requests_from_limits);
    }
    if spec.flag("hostNetwork") {
        for list in ["initContainers", "containers"] {
            spec.items(list).iter_mut().for_each(host_ports);
        }
    }
    // Only Pods get this one: in templates it would change every hash made before it existed (upstream's reason).
    spec.fill("enableServiceLinks", true);
    self::spec(spec);
}

/// NET-8: what listens in the host's network listens on the host's port.
fn host_ports(container: &mut Value) {
    for port in container.items("ports") {
        if let Some(number) = port.int("containerPort").filter(|_| port.int("hostPort").unwrap_or(0) == 0)
            && let Some(port) = port.as_object_mut()
        {
            port.insert("hostPort".to_owned(), json!(number));
        }
    }
}

/// A pod's spec, in a Pod or in a template.
pub(super) fn spec(spec: &mut Value) {
    spec.fill("restartPolicy", "Always");
    spec.fill("dnsPolicy", "ClusterFirst");
    spec.fill("terminationGracePeriodSeconds", 30);
    spec.fill("schedulerName", "default-scheduler");
    spec.fill("securityContext", Map::new());
    service_account(spec);
    spec.items("volumes").iter_mut().for_each(volume);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        spec.items(list).iter_mut().for_each(container);
    }
}

/// The old and the new name of one field, kept equal as upstream's conversion keeps them.
fn service_account(spec: &mut Value) {
    let name = spec.text_some("serviceAccountName").or_else(|| spec.text_some("serviceAccount")).map(str::to_owned);
    if let (Some(name), Some(map)) = (name, spec.as_object_mut()) {
        map.insert("serviceAccountName".to_owned(), json!(name));
        map.insert("serviceAccount".to_owned(), json!(name));
    }
}

/// RES-5: a limit without a request is also the request.
fn requests_from_limits(container: &mut Value) {
    let limits = container.object("resources").object("limits").clone();
    let limits: Vec<_> = limits.as_object().into_iter().flatten().collect();
    if limits.is_empty() {
        return;
    }
    if let Some(requests) = container.nested("resources").and_then(|r| r.nested("requests")) {
        limits.into_iter().for_each(|(name, limit)| requests.fill(name, limit.clone()));
    }
}

fn container(container: &mut Value) {
    let policy = pull_policy(container.text("image"));
    container.fill("imagePullPolicy", policy);
    container.fill("terminationMessagePath", "/dev/termination-log");
    container.fill("terminationMessagePolicy", "File");
    container.fill("resources", Map::new());
    container.items("ports").iter_mut().for_each(|port| port.fill("protocol", "TCP"));
    container.items("env").iter_mut().filter_map(|var| var.inside("valueFrom")).for_each(references);
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.inside(key) {
            self::probe(probe);
        }
    }
    for key in ["postStart", "preStop"] {
        if let Some(hook) = container.inside("lifecycle").and_then(|lifecycle| lifecycle.inside(key)) {
            http(hook);
        }
    }
}

/// IMG-1.
fn pull_policy(image: &str) -> &'static str {
    if tag_is_latest(image) { "Always" } else { "IfNotPresent" }
}

/// IMG-1: whether the tag is `latest`, said or, without a digest, unsaid.
fn tag_is_latest(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none(),
    }
}

fn probe(probe: &mut Value) {
    probe.fill("timeoutSeconds", 1);
    probe.fill("periodSeconds", 10);
    probe.fill("successThreshold", 1);
    probe.fill("failureThreshold", 3);
    if let Some(grpc) = probe.inside("grpc") {
        grpc.fill("service", "");
    }
    http(probe);
}

fn http(handler: &mut Value) {
    if let Some(get) = handler.inside("httpGet") {
        get.fill("path", "/");
        get.fill("scheme", "HTTP");
    }
}

/// `fieldRef.apiVersion` and `resourceFieldRef.divisor`, in an env value or an item of a downward API volume.
fn references(holder: &mut Value) {
    if let Some(field) = holder.inside("fieldRef") {
        field.fill("apiVersion", "v1");
    }
    if let Some(resource) = holder.inside("resourceFieldRef") {
        resource.fill("divisor", "0");
    }
}

fn volume(volume: &mut Value) {
    // VOL-17
    if volume.as_object().is_some_and(|volume| volume.keys().all(|key| key == "name")) {
        volume.fill("emptyDir", Map::new());
    }
    for key in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(files) = volume.inside(key) {
            files.fill("defaultMode", DEFAULT_MODE);
        }
    }
    if let Some(downward) = volume.inside("downwardAPI") {
        downward.items("items").iter_mut().for_each(references);
    }
    if let Some(projected) = volume.inside("projected") {
        for source in projected.items("sources") {
            if let Some(downward) = source.inside("downwardAPI") {
                downward.items("items").iter_mut().for_each(references);
            }
            if let Some(token) = source.inside("serviceAccountToken") {
                token.fill("expirationSeconds", 3600);
            }
        }
    }
    if let Some(image) = volume.inside("image") {
        let policy = pull_policy(image.text("reference"));
        image.fill("pullPolicy", policy);
    }
    if let Some(host) = volume.inside("hostPath") {
        host.fill("type", "");
    }
}
