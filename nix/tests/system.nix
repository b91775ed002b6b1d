# What a system of some modules comes to, as far as this repository has a say in it: values that can be printed.
{ lib }:
modules:
let
  nixos = import ./nixos.nix { inherit lib; };

  evaluated =
    (lib.evalModules {
      modules = [
        nixos.surroundings
        ../module.nix
      ]
      ++ modules;
      specialArgs = { inherit (nixos) pkgs; };
    }).config;

  failed = builtins.filter (check: !check.assertion) evaluated.assertions;
in
{
  inherit (evaluated)
    warnings
    disko
    fileSystems
    boot
    ;
  failed = map (check: check.message) failed;
  configuration = evaluated.environment.etc."subvault/subvault.toml".text or null;
  services = lib.mapAttrs (_: service: removeAttrs service [ "path" ]) evaluated.systemd.services;
  paths = lib.mapAttrs (
    _: service: map (package: package.name) (service.path or [ ])
  ) evaluated.systemd.services;
  inherit (evaluated.systemd) timers slices;
  tmpfiles = evaluated.systemd.tmpfiles.rules;
  rules = map (rule: { inherit (rule) path text; }) evaluated.services.udev.packages;
  packages = map (package: package.name) evaluated.environment.systemPackages;
  hostName = evaluated.networking.hostName or null;
}
