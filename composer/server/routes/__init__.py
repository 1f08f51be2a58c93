"""What answers each route; `api.messages` is their table.

A handler reads its request, calls one method of the engine's `Requests`, and answers what that returns.
"""
