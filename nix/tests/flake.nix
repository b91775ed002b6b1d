# The flake: its outputs, with stand-ins for what it takes from elsewhere.
{ lib }:
let
  nixos = import ./nixos.nix { inherit lib; };

  # As much of flake-parts as the flake uses.
  mkFlake =
    _: module:
    module.flake
    // {
      systems = lib.genAttrs module.systems (_: module.perSystem { inherit (nixos) pkgs; });
    };

  outputs = (import ../flake.nix).outputs {
    nixpkgs.lib = lib // {
      nixosSystem =
        { modules }:
        (lib.evalModules {
          modules = [ nixos.surroundings ] ++ modules;
          specialArgs = { inherit (nixos) pkgs; };
        }).config;
    };
    disko.nixosModules.disko = { };
    flake-parts.lib = { inherit mkFlake; };
  };
in
{
  testSystems = {
    expr = lib.mapAttrs (_: system: {
      name = system.networking.hostName;
      failed = builtins.filter (check: !check.assertion) system.assertions;
    }) outputs.nixosConfigurations;
    expected =
      lib.genAttrs
        [
          "contabo"
          "hetzner"
          "impermanent"
          "ovh"
          "yoga"
          "zephyrus"
        ]
        (name: {
          inherit name;
          failed = [ ];
        });
  };

  testPackagesAndChecks = {
    expr = lib.mapAttrs (_: outputs: {
      packages = builtins.attrNames outputs.packages;
      checks = builtins.attrNames outputs.checks;
    }) outputs.systems;
    expected.x86_64-linux = {
      packages = [
        "default"
        "subvault"
      ];
      checks = [
        "subvault"
        "tests"
      ];
    };
  };

  testLibrary = {
    expr = lib.mapAttrs (_: builtins.attrNames) outputs.lib;
    expected = {
      disko = [
        "dual-boot-desktop"
        "dual-nvme-laptop"
        "impermanent-server"
        "proxmox-host"
        "server"
        "single-nvme-laptop"
      ];
      profiles = [
        "databases"
        "laptop"
        "server"
        "system"
      ];
    };
  };

  testTheModuleIsHandedOut = {
    expr = outputs.nixosModules.default;
    expected = ../module.nix;
  };
}
