"""The system dashboard: pods, processes, GPUs."""

from __future__ import annotations

from grafana import Dashboard, Panel

SYSTEM = Dashboard(
    "content-arena-system",
    "Content Arena / System",
    "What the arena's pods take from the cluster, and whether everything is being watched.",
    (
        Panel(
            "Targets up",
            {"{{job}} {{pod}}": 'up{namespace="$namespace"}'},
            kind="stat",
            width=12,
            help="1: Prometheus reaches it.",
        ),
        Panel(
            "MLflow readable",
            {"{{pod}}": 'content_arena_exporter_up{namespace="$namespace"}'},
            kind="stat",
            width=4,
            help="0: all figures of battles, trainings and the registry are missing.",
        ),
        Panel(
            "Figures' age",
            {"{{pod}}": 'time() - content_arena_exporter_last_read_timestamp_seconds{namespace="$namespace"}'},
            "s",
            kind="stat",
            width=4,
        ),
        Panel(
            "Reading MLflow",
            {"{{pod}}": 'content_arena_exporter_read_duration_seconds{namespace="$namespace"}'},
            "s",
            kind="stat",
            width=4,
        ),
        Panel(
            "CPU by pod",
            {
                "{{pod}}": 'sum by (pod) (rate(container_cpu_usage_seconds_total{namespace="$namespace", container!=""}'
                "[$__rate_interval]))"
            },
            help="Cores.",
        ),
        Panel(
            "Memory by pod",
            {"{{pod}}": 'sum by (pod) (container_memory_working_set_bytes{namespace="$namespace", container!=""})'},
            "bytes",
        ),
        Panel(
            "CPU throttled",
            {
                "{{pod}}": 'sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{namespace="$namespace"}'
                "[$__rate_interval])) / sum by (pod) "
                '(rate(container_cpu_cfs_periods_total{namespace="$namespace"}[$__rate_interval]))'
            },
            "percentunit",
            help="Share of periods in which a pod ran into its CPU limit.",
        ),
        Panel(
            "Network received",
            {
                "{{pod}}": 'sum by (pod) (rate(container_network_receive_bytes_total{namespace="$namespace"}'
                "[$__rate_interval]))"
            },
            "Bps",
        ),
        Panel(
            "Restarts in an hour",
            {
                "{{pod}}": 'sum by (pod) (increase(kube_pod_container_status_restarts_total{namespace="$namespace"}'
                "[1h]))"
            },
        ),
        Panel("Pods by phase", {"{{phase}}": 'sum by (phase) (kube_pod_status_phase{namespace="$namespace"})'}),
        Panel(
            "Volumes full",
            {
                "{{persistentvolumeclaim}}": 'kubelet_volume_stats_used_bytes{namespace="$namespace"} '
                '/ kubelet_volume_stats_capacity_bytes{namespace="$namespace"}'
            },
            "percentunit",
        ),
        Panel(
            "GPU memory",
            {"{{Hostname}} GPU {{gpu}}": "DCGM_FI_DEV_FB_USED * 1048576"},
            "bytes",
            help="All GPUs of the cluster; DCGM counts in MiB.",
        ),
        Panel("GPU utilisation", {"{{Hostname}} GPU {{gpu}}": "DCGM_FI_DEV_GPU_UTIL / 100"}, "percentunit"),
        Panel(
            "CPU by process",
            {"{{job}} {{pod}}": 'rate(process_cpu_seconds_total{namespace="$namespace"}[$__rate_interval])'},
            help="Cores, as the predictors and the exporter see themselves.",
        ),
        Panel(
            "Memory by process", {"{{job}} {{pod}}": 'process_resident_memory_bytes{namespace="$namespace"}'}, "bytes"
        ),
        Panel(
            "Open files",
            {"{{job}} {{pod}}": 'process_open_fds{namespace="$namespace"} / process_max_fds{namespace="$namespace"}'},
            "percentunit",
            help="Share of the limit.",
        ),
        Panel("Uptime", {"{{job}} {{pod}}": 'time() - process_start_time_seconds{namespace="$namespace"}'}, "s"),
        Panel("Scrape duration", {"{{job}} {{pod}}": 'scrape_duration_seconds{namespace="$namespace"}'}, "s"),
        Panel("Samples a scrape", {"{{job}} {{pod}}": 'scrape_samples_scraped{namespace="$namespace"}'}),
    ),
)
