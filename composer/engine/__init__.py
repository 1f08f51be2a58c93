"""The engine: what is desired, what is there, and the plan that leads from one to the other.

* `world`     `Desired` and `Observed`: what should be and what is, unjudged
* `plan`      `Plan`: a graph of operations, each one driver call, each with its cause
* pure        resolve translate reconcile teardown supervise: no clock, no files, no processes
* acting      drivers observe execute loop store: they carry out and record, they decide nothing

The engine knows Compose's words (service, replica, condition) and gets a `Project` that is already valid. Only `translate`
knows the OCI vocabulary too. Rules: reconciliation is level-based; intent is recorded before the effect; every driver call
is idempotent; a second `up` has an empty plan.
"""
