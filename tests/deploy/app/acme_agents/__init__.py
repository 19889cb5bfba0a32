"""Agents of somebody else, in a package of their own: what `baton package --app` brings into a bundle.

`BATON_APP=acme_agents.agents:registry` names them.
"""
