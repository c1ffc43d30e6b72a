const socket = io('wss://yourdomain.com/ws', {
  debug: true,
});
