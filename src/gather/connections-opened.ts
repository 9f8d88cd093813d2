/** How many connections to the servers of a stack this process has opened, by TCP or through a container: for `-v`. */
let opened = 0;

export const countConnection = (): void => {
  opened += 1;
};

export const connectionsOpened = (): number => opened;
