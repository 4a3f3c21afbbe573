//! StatefulSet, EndpointSlice, ServiceAccount and Namespace: a pure decide per kind, run as API clients.
