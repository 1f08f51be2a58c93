"""The engine: what is desired, what is there, and the plan that leads from one to the other.

* `world`     `Desired` and `Observed`: what should be and what is, unjudged
* `plan`      `Plan`: a graph of operations, each one driver call, each with its cause
* pure        resolve configure translate reconcile verdict teardown supervise health: no clock, no files, no processes
* acting      execute machine (the real `drivers`) containers starting networking storage processes sessions pipes
              logs loop recovery restarts store keeping: they carry out and record, they decide nothing
* `building`  the engine's half of building; `provision` says what is pulled and built before anything else
* `requests`  one method for each request of the API, with `single looking image_requests`; `turns` says in which order they
              have a project

The engine knows Compose's words (service, replica, condition) and gets a `Project` that is already valid. Only `translate`
knows the OCI vocabulary too. Rules: reconciliation is level-based; intent is recorded before the effect; every driver call
is idempotent; a second `up` has an empty plan.
"""
