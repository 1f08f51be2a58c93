"""Networks: each one is a network namespace with a bridge, a gateway address, its own firewall table and an uplink.

* `spec`       `NetworkSpec`, `Interface`, `Facts`: what is asked for
* `topology`   pure: the steps that make a network and attach a container; `host` those that set up the machine itself
* `netlink`    rtnetlink messages as bytes (the door to pyroute2); `nftables` the same for firewall rules
* `ipam`       pure: which subnet, which address; `routes` and `firewall` read what the host has already
* `ports`      opens the listening sockets of published ports, and names the holder of a taken one
* `driver`     `Networks`: what the engine calls; it runs steps through `Jobs` and keeps descriptors in a `Store` (`needs`)
* `publishing` published ports that are served; `uplinks` the host's side of networks, `obstacle` what firewalls have against it
* `items`      pure: names and contents of what the store holds, DNS zones among them; `resolv` reads the host's resolvers
* `dataplane/` a process of its own that relays published ports and answers DNS

Isolation is by construction: two networks share nothing but the host's end of their uplinks, and a rule there drops
what would go from one uplink to another. Containers attach with one veth pair per network. As root the host also gets
a table `ip composer-<engine id>` (`nft(8)`); without privileges there is no uplink, the host is not touched,
and the data plane relays what goes out.

This room knows nothing of Compose, images or processes. It follows rtnetlink(7), veth(4), network_namespaces(7), nft(8)
and RFC 1035. This package imports nothing by itself: the data plane lives in it and must start quickly.
"""
