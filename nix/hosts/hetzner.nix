# The production machine (458 GB) with PostgreSQL and Redis. At most a quarter of an hour of theirs may be lost.
{ lib, ... }:
let
  inherit (import ./site.nix) user;

  layout = (import ../disko { inherit lib; }).server {
    disks.main = "/dev/sda";
    inherit user;
    databases = true;
  };
in
{
  imports = [
    ./rented.nix
    ../profiles/databases.nix
    layout.module
  ];

  networking.hostName = "hetzner";

  services.subvault.settings = {
    host.name = "hetzner";
    target.cloud.schedule = "02:00";
  };
}
