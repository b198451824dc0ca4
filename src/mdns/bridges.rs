//! Detection of interfaces that lead only to containers or virtual machines of this machine. Their
//! addresses are of no use in other networks.
//!
//! Reads `/sys/class/net` on Linux. On other systems no interface counts as such.

use std::fs;
use std::path::Path;

/// Directory in which Linux describes the network interfaces.
const INTERFACES: &str = "/sys/class/net";

/// Returns true if the interface is a port of a bridge, such as the host's end of a container's
/// virtual cable. Only the bridge's own addresses are reachable through a port.
pub(crate) fn is_bridge_port(interface: &str) -> bool {
    is_bridge_port_in(Path::new(INTERFACES), interface)
}

/// Returns true if the interface is a bridge whose ports are all virtual, as those of containers
/// are. Also true for a bridge without ports.
pub(crate) fn is_container_bridge(interface: &str) -> bool {
    is_container_bridge_in(Path::new(INTERFACES), interface)
}

/// Does the work of [`is_bridge_port`]. `root`: directory that describes the interfaces.
fn is_bridge_port_in(root: &Path, interface: &str) -> bool {
    root.join(interface).join("brport").exists()
}

/// Does the work of [`is_container_bridge`]. `root`: directory that describes the interfaces.
fn is_container_bridge_in(root: &Path, interface: &str) -> bool {
    // A file for each port. Only bridges have this directory.
    let Ok(ports) = fs::read_dir(root.join(interface).join("brif")) else { return false };
    !ports.flatten().any(|port| is_based_on_device(&root.join(port.file_name())))
}

/// Returns true if an interface is a network device, or is built on another interface, as VLANs and
/// bonds are. `interface` is its directory.
fn is_based_on_device(interface: &Path) -> bool {
    let is_lower =
        |entry: fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"lower_");
    interface.join("device").exists()
        || fs::read_dir(interface).is_ok_and(|mut it| it.any(|entry| entry.is_ok_and(is_lower)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bridge is a container bridge unless one of its ports leads out of the machine. A port of a
    /// bridge is recognized.
    #[test]
    fn container_bridge_has_only_virtual_ports() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "eth0/device",
            "wlan0/device",
            "docker0/brif/veth1",
            "veth1/brport",
            "br-lan/brif/eth1",
            "br-lan/brif/vnet0",
            "eth1/device",
            "eth1/brport",
            "vnet0/brport",
            "br-vlan/brif/eth0.7",
            "eth0.7/lower_eth0",
            "virbr0/brif",
        ] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        let is_bridge = |it: &&str| is_container_bridge_in(root.path(), it);
        let all = ["eth0", "wlan0", "docker0", "br-lan", "br-vlan", "virbr0", "veth1", "nosuch"];
        assert_eq!(
            all.iter().copied().filter(is_bridge).collect::<Vec<_>>(),
            ["docker0", "virbr0"]
        );
        let is_port = |it: &&str| is_bridge_port_in(root.path(), it);
        assert_eq!(all.iter().copied().filter(is_port).collect::<Vec<_>>(), ["veth1"]);
    }
}
