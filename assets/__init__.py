"""The graph as Dagster shows it: one thin file a stage. An application package, never installed.

Nothing here runs a stage or knows DVC; an asset hands its name to the resource `stages`.
"""
