"""KServe's V2 protocol over gRPC, in the process and the event loop of the HTTP server, under the same rules."""
