// Answers what Kubernetes' field manager makes of a write. One request per line on stdin, one answer per line on
// stdout. It converts and defaults nothing: what it says is ownership and merging alone.
package main

import (
	"encoding/json"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

var pod = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

type request struct {
	Op, Manager, Subresource string
	Force                    bool
	Live, Sent               json.RawMessage
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var r request
		must(in.Decode(&r))
		object, err := answer(r)
		if err != nil {
			must(out.Encode(map[string]any{"conflict": err.Error()}))
		} else {
			must(out.Encode(map[string]any{"result": object}))
		}
	}
}

func answer(r request) (runtime.Object, error) {
	reset := map[string]string{"": "status", "status": "spec"}[r.Subresource]
	filter := fieldpath.NewExcludeSetFilter(fieldpath.NewSet(fieldpath.MakePathOrDie(reset)))
	filters := map[fieldpath.APIVersion]fieldpath.Filter{"v1": filter}
	types := applyconfigurations.NewTypeConverter(scheme.Scheme)
	world := world{}
	manager, err := managedfields.NewDefaultFieldManager(
		types, world, world, world, pod, pod.GroupVersion(), r.Subresource, filters)
	must(err)
	live := world.read(r.Live)
	if r.Op == "apply" {
		config := &unstructured.Unstructured{}
		must(json.Unmarshal(r.Sent, &config.Object))
		return manager.Apply(live, config, r.Manager, r.Force)
	}
	return manager.Update(live, world.read(r.Sent), r.Manager)
}

// world creates typed objects, converts unstructured ones to them, and defaults nothing.
type world struct{}

func (world) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	object, err := scheme.Scheme.New(gvk)
	if err == nil {
		object.GetObjectKind().SetGroupVersionKind(gvk)
	}
	return object, err
}

func (w world) read(raw json.RawMessage) runtime.Object {
	object, err := w.New(pod)
	must(err)
	if len(raw) > 0 {
		must(json.Unmarshal(raw, object))
	}
	object.GetObjectKind().SetGroupVersionKind(pod)
	return object
}

func (world) Default(runtime.Object) {}

func (w world) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	from, ok := in.(*unstructured.Unstructured)
	if !ok {
		return in, nil
	}
	to, err := w.New(from.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return to, runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, to)
}

func (world) Convert(_, _, _ any) error { panic("not asked for") }

func (world) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
