//! `firstlight down`: delete what manifests name, or everything, and end the engine that `up` started.

use crate::apply::Applier;
use crate::args::{Down, Given};
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::manifest::{self, Manifest, text};
use crate::say;
use firstlight::lifecycle;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectList};
use kube::core::{ApiResource, GroupVersionKind};
use std::time::{Duration, Instant};

/// How often the API is asked whether everything is gone.
const POLL: Duration = Duration::from_millis(20);

/// Workloads first, so that nothing makes new pods, then every pod.
const RUNS_PODS: [(&str, &str); 2] = [("apps", "StatefulSet"), ("", "Pod")];

/// What else people make.
const THE_REST: [(&str, &str); 3] = [("", "Service"), ("", "ConfigMap"), ("", "Secret")];

/// Deletes and waits until nothing is left.
pub(crate) async fn run(args: Down) -> Outcome {
    let began = Instant::now();
    let manifests = manifest::load(&args.manifests)?;
    let Some(client) = engine_to_end(&args).await? else {
        say::line(format_args!("nothing runs on {}", args.place.data_dir.display()));
        return Ok(());
    };
    if manifests.is_empty() && args.place.context.is_some() {
        return Err(Failure::new(Exit::Usage, "with --context, name what to delete; a whole cluster is never deleted"));
    }
    let mut applier = Applier::new(client.clone(), &args.manifests.namespace);
    for manifest in manifests.iter().rev() {
        delete(&mut applier, manifest).await?;
    }
    if args.place.context.is_some() {
        return Ok(());
    }
    let ends = lifecycle::belongs_to_up(&args.place.data_dir);
    if manifests.is_empty() {
        delete_all(&client, &RUNS_PODS).await?;
        if !ends {
            // An engine that ends takes these along.
            delete_all(&client, &THE_REST).await?;
            delete_namespaces(&client).await?;
        }
    }
    let left = wait_for_pods(&client, &manifests, args.timeout, began).await?;
    wait_for_the_node(&client, args.timeout, began).await?;
    if left == 0 && ends {
        lifecycle::end(&args.place.data_dir, args.timeout.saturating_sub(began.elapsed()))?;
        say::line("the engine has ended");
    }
    Ok(())
}

/// The engine that answers; or, if one died and left its state, a new one: taking over is the way to end its pods.
async fn engine_to_end(args: &Down) -> Outcome<Option<Client>> {
    match connect::existing(&args.place).await? {
        Some(client) => Ok(Some(client)),
        None if args.place.context.is_none() && lifecycle::has_state(&args.place.data_dir) => {
            connect::or_start(&args.place, &Given::default()).await.map(|found| Some(found.client))
        }
        None => Ok(None),
    }
}

async fn delete(applier: &mut Applier, manifest: &Manifest) -> Outcome {
    let api = applier.api(manifest).await?;
    match api.delete(text(&manifest.value, "/metadata/name"), &DeleteParams::background()).await {
        Ok(_) => say::line(format_args!("{} deleted", manifest.title())),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            say::line(format_args!("{} was not there", manifest.title()))
        }
        Err(error) => return Err(crate::apply::refusal(manifest, &error)),
    }
    Ok(())
}

/// Whether nobody has made anything.
pub(crate) async fn nothing_is_there(client: &Client) -> Outcome<bool> {
    for (group, kind) in RUNS_PODS.iter().chain(&THE_REST) {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(group, kind));
        if !api.list(&ListParams::default().limit(1)).await?.items.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn delete_all(client: &Client, kinds: &[(&str, &str)]) -> Outcome {
    for (group, kind) in kinds {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(group, kind));
        for object in api.list(&ListParams::default()).await?.items {
            let namespace = object.metadata.namespace.unwrap_or_default();
            let name = object.metadata.name.unwrap_or_default();
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource(group, kind));
            match api.delete(&name, &DeleteParams::background()).await {
                Ok(_) => say::line(format_args!("{kind} {namespace}/{name} deleted")),
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Namespaces, with what else is in them, but those that every engine has.
async fn delete_namespaces(client: &Client) -> Outcome {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "Namespace"));
    for name in api.list(&ListParams::default()).await?.items.into_iter().filter_map(|object| object.metadata.name) {
        if name != "default" && !name.starts_with("kube-") {
            api.delete(&name, &DeleteParams::background()).await?;
            say::line(format_args!("Namespace {name} deleted"));
        }
    }
    Ok(())
}

/// Waits until the pods that go are gone; answers how many pods stay.
async fn wait_for_pods(client: &Client, manifests: &[Manifest], limit: Duration, began: Instant) -> Outcome<usize> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "Pod"));
    loop {
        let pods = api.list(&ListParams::default()).await?.items;
        let going = pods.iter().filter(|pod| {
            manifests.is_empty() || pod.metadata.deletion_timestamp.is_some() || owner_is_among(pod, manifests)
        });
        let names: Vec<String> = going.filter_map(|pod| pod.metadata.name.clone()).collect();
        if names.is_empty() {
            return Ok(pods.len());
        }
        if began.elapsed() > limit {
            return Err(Failure::new(Exit::Timeout, format!("still there: {}", names.join(", "))));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until the node has nothing of a pod whose object is gone: objects of pods without a grace, and of pods that were
/// over, go first.
async fn wait_for_the_node(client: &Client, limit: Duration, began: Instant) -> Outcome {
    let pods: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "Pod"));
    let nodes: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "Node"));
    let names = nodes.list(&ListParams::default()).await?.items.into_iter().filter_map(|node| node.metadata.name);
    for node in names {
        loop {
            let path = format!("/api/v1/nodes/{node}/proxy/runningpods/");
            let request = http::Request::get(path).body(Vec::new()).map_err(anyhow::Error::from)?;
            // Asked first: a pod that begins between the two questions is not taken for one that is gone.
            let running: ObjectList<DynamicObject> = client.request(request).await?;
            let known = pods.list(&ListParams::default()).await?.items;
            let is_known = |pod: &DynamicObject| known.iter().any(|other| other.metadata.uid == pod.metadata.uid);
            let gone = running.items.into_iter().filter(|pod| !is_known(pod));
            let names: Vec<String> = gone.filter_map(|pod| pod.metadata.name).collect();
            if names.is_empty() {
                break;
            }
            if began.elapsed() > limit {
                return Err(Failure::new(Exit::Timeout, format!("still ending on {node}: {}", names.join(", "))));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Whether a deleted workload owns this pod, which then goes as soon as garbage collection reaches it.
fn owner_is_among(pod: &DynamicObject, manifests: &[Manifest]) -> bool {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|owner| {
        manifests
            .iter()
            .any(|m| text(&m.value, "/kind") == owner.kind && text(&m.value, "/metadata/name") == owner.name)
    })
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}
