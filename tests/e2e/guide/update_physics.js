socket.emit('update_physics', {
  universeId: 'universe-123',
  parameters: {
    gravity: 9.81,
    friction: 0.5,
    elasticity: 0.7,
    airResistance: 0.1,
    timeScale: 1.0,
  },
});
