# Layouts of disks by profile: functions from the names of disks, and what can be chosen, to a layout.
{ lib }:
lib.genAttrs [
  "dual-boot-desktop"
  "dual-nvme-laptop"
  "impermanent-server"
  "proxmox-host"
  "server"
  "single-nvme-laptop"
] (name: import (./. + "/${name}.nix") { inherit lib; })
