# subvault for NixOS: the program, the module, layouts for disko, and example hosts. docs/nixos.md says how to use it.
#
# Nothing is computed here: each output is made by a file of its own, which also evaluates without nixpkgs.
{
  description = "Snapshots, copies and archives of Btrfs subvolumes, and the way back";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    flake-parts = {
      url = "github:hercules-ci/flake-parts";
      inputs.nixpkgs-lib.follows = "nixpkgs";
    };
    disko = {
      url = "github:nix-community/disko";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    inputs:
    let
      inherit (inputs.nixpkgs) lib;

      system =
        host:
        lib.nixosSystem {
          modules = [
            inputs.disko.nixosModules.disko
            ./module.nix
            host
          ];
        };
    in
    inputs.flake-parts.lib.mkFlake { inherit inputs; } {
      systems = [ "x86_64-linux" ];

      flake = {
        nixosModules.default = ./module.nix;

        nixosConfigurations = lib.mapAttrs (_: system) (import ./hosts);

        lib = {
          # Layouts by profile: functions from the names of disks.
          disko = import ./disko { inherit lib; };
          # What is kept and when, by kind of machine: modules.
          profiles = import ./profiles;
        };

        # For `nix-unit --flake .#tests`.
        tests = import ./tests { inherit lib; };
      };

      perSystem =
        { pkgs, ... }:
        let
          subvault = pkgs.callPackage ./package.nix { };
          failed = import ./tests/run.nix { inherit lib; };
        in
        {
          packages = {
            inherit subvault;
            default = subvault;
          };

          checks = {
            inherit subvault;
            # The tests are evaluated with the flake; that there is this file says that all passed.
            tests = pkgs.writeText "subvault-nix-tests" (
              if failed == [ ] then "all passed\n" else throw "failed: ${builtins.toJSON failed}"
            );
          };
        };
    };
}
