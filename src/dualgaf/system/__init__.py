"""What this machine is and allows: CPUs, memory and its limits, cgroups, the end of a process."""
